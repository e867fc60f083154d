"""The regularisation matrix between frames, and its factors: numpy, since it is small and made once a run.

VSTAR: Generative Temporal Nursing (Li et al.), Eq. 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOLERANCE = 1e-6  # of factors, where a matrix lies in [0, 1]

Array = np.ndarray


def gaussian(frames: Sequence[int], sigma: float) -> Array:
    """exp(-((j - i) / sigma)^2 / 2) between frames at the places i and j: [F, F] float64."""
    place = np.asarray(frames, dtype=np.float64)
    return np.exp(-(((place[None] - place[:, None]) / sigma) ** 2) / 2)


def resampled(matrix: Array, frames: int) -> Array:
    """A square matrix brought to [frames, frames] float64, bilinearly, first and last frame kept."""
    given, wanted = np.arange(len(matrix)), np.linspace(0, len(matrix) - 1, frames)
    rows = np.stack([np.interp(wanted, given, row) for row in matrix])
    return np.stack([np.interp(wanted, given, column) for column in rows.T], axis=1)


def centred(matrix: Array) -> Array:
    """Each row less its mean: as a bias over the frames of a video alone the same, since softmax ignores a constant."""
    return matrix - matrix.mean(-1, keepdims=True)


def factors(matrix: Array) -> tuple[Array, Array]:
    """a, b [F, r], r >= 1, with |a b^T - matrix| <= TOLERANCE everywhere: the singular vectors above it.

    A wide band needs few columns whatever F is: 6 or 7 for a sigma of half the frames.
    """
    u, s, vh = np.linalg.svd(matrix)
    rank = max(1, int((s > TOLERANCE).sum()))
    return u[:, :rank] * np.sqrt(s[:rank]), vh[:rank].T * np.sqrt(s[:rank])
