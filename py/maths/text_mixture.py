"""Which key prompt each frame reads, and mixtures of two embeddings: Video Synopsis Prompting.

VSTAR: Generative Temporal Nursing for Longer Dynamic Video Synthesis (Li et al.), section 3.4. The paper interpolates linearly
between neighbouring key prompts (`transition` 1); a shorter cross-fade keeps objects whole on the way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

INTERPOLATIONS = ("linear", "slerp")


class Mixture(NamedTuple):
    """(1 - share) of key prompt `first` and `share` of the next one; share is 0 where it is `first` alone."""

    first: int
    share: float


def mixture(position: float, places: Sequence[float], transition: float) -> Mixture:
    """What a frame at `position` reads of key prompts at ascending `places`.

    Between two neighbours the share rises from 0 to 1 over the middle `transition` of their distance: 1 is linear
    interpolation, 0 switches half-way. Before the first and after the last place there is one key prompt alone.
    """
    first = bisect_right(places, position) - 1
    if first < 0:
        return Mixture(0, 0.0)
    if first == len(places) - 1:
        return Mixture(first, 0.0)
    start, end = places[first], places[first + 1]
    middle, width = (start + end) / 2, transition * (end - start)
    if width == 0:
        return Mixture(first + (position >= middle), 0.0)
    share = (position - (middle - width / 2)) / width
    return Mixture(first + 1, 0.0) if share >= 1 else Mixture(first, max(share, 0.0))


def mixed(first: Tensor, second: Tensor, share: float, interpolation: str) -> Tensor:
    """Two embeddings [..., C] mixed in float32, rounded once: (1 - share) first + share second, or along the arc between.

    "slerp" turns each token's direction at constant speed and interpolates its length; tokens of length 0 and opposite or
    equal directions, which have no arc, are mixed linearly.
    """
    a, b = first.float(), second.float()
    if interpolation == "linear":
        return torch.lerp(a, b, share).to(first.dtype)
    lengths = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    cosine = (a * b).sum(-1, keepdim=True) / (lengths[0] * lengths[1])
    angle = torch.arccos(cosine.clamp(-1, 1))
    weights = (torch.sin((1 - share) * angle) / torch.sin(angle), torch.sin(share * angle) / torch.sin(angle))
    direction = weights[0] * a / lengths[0] + weights[1] * b / lengths[1]
    arc = torch.lerp(*lengths, share) * direction
    usable = (cosine.abs() < 1 - 1e-6) & (lengths[0] > 0) & (lengths[1] > 0)
    return torch.where(usable, arc, torch.lerp(a, b, share)).to(first.dtype)
