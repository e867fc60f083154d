"""Massive activations: the peak of each channel, what counts as massive, and how it lies along the video tokens.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), A.1, A.2 and Fig. 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .token_regions import Region

MASSIVE = 50.0  # times the mean peak of all channels
DEVIATIONS = 3.0  # standard deviations above that mean


def channel_peaks(x: Tensor) -> Tensor:
    """[B, N, C] -> [B, C] largest |x| over the tokens, of each sample by itself: one reduction, no copy of x."""
    return torch.linalg.vector_norm(x, math.inf, dim=1)


def strongest(x: Tensor, peaks: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """[B, N, C] and its peaks [B, C] -> the `count` channels of highest peak [B, K] and their float32 |x| [B, N, K]."""
    channels = peaks.topk(count).indices
    values = x.gather(-1, channels.unsqueeze(1).expand(-1, x.shape[1], -1))
    return channels, values.float().abs()


def pooled(x: Tensor, frames: int, bins: int) -> Tensor:
    """[B, F * S, K] -> [B, K, F, bins]: the tokens of each frame, in their order, averaged in `bins` equal parts of S."""
    return x.mT.unflatten(-1, (frames, bins, -1)).mean(-1)


def over_regions(x: Tensor, frames: int, regions: Sequence[Sequence[Region]]) -> tuple[Tensor, Tensor]:
    """Non-negative [B, F * S, K] -> its maximum and its mean over each group of regions, [B, K, groups]; NaN where empty."""
    by_frame = x.unflatten(1, (frames, -1))
    groups = [torch.cat([by_frame[:, f, t].flatten(1, 2) for f, t in group], dim=1) for group in regions]
    empty = x.new_full((x.shape[0], x.shape[2]), math.nan)
    highest = [group.amax(1) if group.shape[1] else empty for group in groups]
    means = [group.mean(1) if group.shape[1] else empty for group in groups]
    return torch.stack(highest, -1), torch.stack(means, -1)


def massive(peaks: np.ndarray) -> np.ndarray:
    """[C] -> which channels have a peak above 50 times the mean peak of all channels (A.1)."""
    return peaks > MASSIVE * peaks.mean()


def weakly_massive(peaks: np.ndarray) -> np.ndarray:
    """[C] -> which channels exceed the mean peak by 3 standard deviations (over channels) without being massive (A.2)."""
    return (peaks > peaks.mean() + DEVIATIONS * peaks.std()) & ~massive(peaks)


def ratio(peak: float, reference: float) -> float:
    """Peak over a reference; 0 where that is 0, and the peak with it."""
    return peak / reference if reference else 0.0
