"""Matrices over frames against the interval between the two frames (VSTAR, A.1 and Fig. S.2).

In videos with dynamics the values fall as the interval grows: near frames are alike, far ones are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SPREAD = (0.1, 0.9)  # quantiles


@dataclass(frozen=True, eq=False)
class IntervalProfile:
    """What matrices hold at each interval.

    Args:
        intervals: [n] rising, above 0, in frames.
        mean, low, high: [n] mean, 10th and 90th percentile of all entries that far from the diagonal, of all matrices.
        itself: mean of the diagonals.
    """

    intervals: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    itself: float


def interval_profile(matrices: Sequence[np.ndarray], frames: Sequence[Sequence[float]]) -> IntervalProfile:
    """The profile of matrices [F, F], F >= 2; `frames` are, for each of them, the frame numbers [F] of its rows."""
    values = np.concatenate([matrix.ravel() for matrix in matrices]).astype(np.float64)
    apart = np.concatenate([np.abs(np.subtract.outer(rows, rows)).ravel() for rows in frames])
    by_interval = {interval: values[apart == interval] for interval in np.unique(apart)}
    itself = by_interval.pop(0.0)
    low, high = (np.array([np.quantile(found, at) for found in by_interval.values()]) for at in SPREAD)
    mean = np.array([found.mean() for found in by_interval.values()])
    return IntervalProfile(np.array(list(by_interval)), mean, low, high, float(itself.mean()))
