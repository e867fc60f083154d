"""How far one video is from another of the same noise: how much changed, how alike the frames are, how much they move.

The measures of Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 3.1, as far as they need no
further network: energy, SSIM, and the difference of neighbouring frames in place of learned temporal consistency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .frames import parts, planes
from .similarity import ssim_map


@dataclass(frozen=True)
class Change:
    """Of a video against the unchanged one.

    energy: of the latents' difference, in % of that of the unchanged latent. structure: mean SSIM of its frames, 1 = the same.
    motion: mean difference of neighbouring frames, in % more (or less) than in the unchanged one; NaN where that stands still.
    """

    energy: float
    structure: float
    motion: float


@dataclass(frozen=True)
class Pictured:
    """A latent and its clips [F, H, W, 3] in [0, 1]."""

    latent: Tensor
    clips: Sequence[Tensor]


def change(before: Pictured, after: Pictured) -> Change:
    """What differs between two videos of the same shape."""
    difference = (after.latent.double() - before.latent.double()).square().sum()
    energy = 100 * float(difference / before.latent.double().square().sum())
    structure = [_structure(*pair) for pair in zip(before.clips, after.clips, strict=True)]
    moved, moves = _motion(before.clips), _motion(after.clips)
    return Change(energy, sum(structure) / len(structure), 100 * (moves / moved - 1) if moved else math.nan)


def _structure(one: Tensor, other: Tensor) -> float:
    total = 0.0
    for part in parts(len(one), *one.shape[1:3]):
        frames = (planes(clip[part], clip.device) for clip in (one, other))
        total += float(ssim_map(*frames).mean((1, 2, 3)).sum())
    return total / len(one)


def _motion(clips: Sequence[Tensor]) -> float:
    """Mean absolute difference of neighbouring frames."""
    return sum(float(torch.diff(clip.float(), dim=0).abs().mean()) for clip in clips) / len(clips)
