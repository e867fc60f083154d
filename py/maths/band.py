"""The regularisation matrix between frames, and its factors.

VSTAR: Generative Temporal Nursing (Li et al.), Eq. 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

TOLERANCE = 1e-6  # of factors, where a matrix lies in [0, 1]


def gaussian(frames: Sequence[int], sigma: float) -> Tensor:
    """exp(-((j - i) / sigma)^2 / 2) between frames at the places i and j: [F, F] float64."""
    place = torch.tensor(frames, dtype=torch.float64)
    return torch.exp(-(((place[None] - place[:, None]) / sigma) ** 2) / 2)


def resampled(matrix: Tensor, frames: int) -> Tensor:
    """A square matrix brought to [frames, frames] float64, bilinearly, first and last frame kept."""
    if len(matrix) == frames:
        return matrix.double()
    return interpolate(matrix.double()[None, None], size=(frames, frames), mode="bilinear", align_corners=True)[0, 0]


def centred(matrix: Tensor) -> Tensor:
    """Each row less its mean: as a bias over the frames of a video alone the same, since softmax ignores a constant."""
    return matrix - matrix.mean(-1, keepdim=True)


def factors(matrix: Tensor, tolerance: float = TOLERANCE) -> tuple[Tensor, Tensor]:
    """The narrowest a, b [F, r], r >= 1, with |a b^T - matrix| <= tolerance everywhere.

    A wide band needs few columns whatever F is: 6 for a sigma of half the frames.
    """
    u, s, vh = torch.linalg.svd(matrix.double())
    a, b = u * s.sqrt(), vh.mT * s.sqrt()
    rank = 1
    while (a[:, :rank] @ b[:, :rank].mT - matrix).abs().max() > tolerance:
        rank += 1
    return a[:, :rank], b[:, :rank]
