"""What moves in a clip and what stands still, and measures of either that need no vision model."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from .motion import local_covariance, shifted
from .similarity import SSIM_WINDOW, consistency, ssim_map

SLOWEST = 0.001  # of the short side a frame; whatever is slower stands still
EXPLAINED = 0.5  # of the local change: what motion explains less of is no motion, such as noise
SMALLEST_AREA = 0.01  # of the frame; smaller regions are not judged
LEVELS = 256


def moving(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """[B, 1, h, w] bool: the displacement is fast enough and explains most of how the two frames differ around there."""
    change = second - first
    left = shifted(second, flow / 2) - shifted(first, -flow / 2)
    explained = local_covariance(left, left) < (1 - EXPLAINED) * local_covariance(change, change)
    return explained & (flow.norm(dim=1, keepdim=True) > SLOWEST * min(flow.shape[-2:]))


def standing(moves: Tensor) -> Tensor:
    """[B, 1, h, w] bool: neither moving nor within the reach of SSIM's window of something that is."""
    return max_pool2d(moves.float(), SSIM_WINDOW, stride=1, padding=SSIM_WINDOW // 2) == 0


def region_mean(x: Tensor, region: Tensor) -> Tensor:
    """[B] mean of x [B, C, h, w] over a region [B, 1, h, w], bool or 0 and 1; NaN where the region is below 1 % of the frame."""
    area = region.sum((1, 2, 3))
    mean = (x * region).sum((1, 2, 3)) / (area * x.shape[1])
    return mean.masked_fill(area < SMALLEST_AREA * region[0].numel(), torch.nan)


def background_consistency(frames: Tensor, still: Tensor) -> Tensor:
    """[F - 1] SSIM of each frame but the first with the one before and with the first, on what stood still ever since the first.

    Args:
        frames: [F, 3, h, w] in [0, 1].
        still: [F - 1, 1, h, w] bool, as of `standing`.
    """
    background = still.float().cumprod(0)
    to_previous = region_mean(ssim_map(frames[:-1], frames[1:]), background)
    to_first = region_mean(ssim_map(frames[:1].expand_as(frames[1:]), frames[1:]), background)
    return consistency(to_previous, to_first)


def subject_consistency(arrived: Tensor, moves: Tensor) -> Tensor:
    """[P] likeness of the colours of what moves: to those in the pair before, and in the first pair, where something moves.

    Likeness is 1 minus the earth mover's distance between two distributions of brightness in [0, 1], averaged over red, green
    and blue; it does not depend on place. NaN for pairs without motion and for the first with it.

    Args:
        arrived: [P, 3, h, w] the later frame of each pair, brought half-way back.
        moves: [P, 1, h, w] bool, as of `moving`.
    """
    seen = moves.float().mean((1, 2, 3)) >= SMALLEST_AREA
    colours = _colours(arrived[seen], moves[seen])
    found = arrived.new_full(seen.shape, torch.nan)
    found[seen.nonzero()[1:, 0]] = consistency(_likeness(colours[1:], colours[:-1]), _likeness(colours[1:], colours[:1]))
    return found


def _colours(frames: Tensor, region: Tensor) -> Tensor:
    """[P, 3, 256] cumulative distribution of each colour channel over a region that is not empty."""
    levels = (frames.clamp(0, 1) * (LEVELS - 1)).round().long().flatten(2)
    weights = region.expand_as(frames).flatten(2).to(frames.dtype)
    counts = frames.new_zeros(*levels.shape[:2], LEVELS).scatter_add(2, levels, weights)
    return counts.cumsum(-1) / counts.sum(-1, keepdim=True)


def _likeness(one: Tensor, other: Tensor) -> Tensor:
    return 1 - (one - other).abs().sum(-1).mean(-1) / (LEVELS - 1)
