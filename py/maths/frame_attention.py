"""Frame attention: how much each latent frame takes from each other one, by three estimators.

Temporal State Transport in Video Generation (Tang et al.), section 2: "grouping latent tokens by frames yields A".
The paper leaves the grouping open; its code compares equal positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .entropy import density, row_entropy

MOST_ELEMENTS = 2**24


@dataclass(frozen=True)
class FrameAttention:
    """What an estimator measures, per sample and head.

    matrix: [B, H, F, F], rows sum to 1. h_row: [B, H] row entropy (Eq. 1). rho: [B, H, F, F] density (Eq. 2).
    """

    matrix: Tensor
    h_row: Tensor
    rho: Tensor


def same_position(q: Tensor, k: Tensor, scale: float) -> FrameAttention:
    """Each position attends to itself in all frames; H_row and rho are averaged over positions.

    Args:
        q, k: [B, H, F, S, D] queries and keys of the video tokens, in any floating dtype.
        scale: factor of the scores, usually D ** -0.5.
    """
    batch, heads, frames, spatial, width = q.shape
    per_position = batch * heads * frames * max(width, frames)
    sums = None
    for part in _chunks(spatial, MOST_ELEMENTS // per_position):
        terms = _position_sums(_softmax_scores(_by_position(q[..., part, :]), _by_position(k[..., part, :]), scale))
        sums = terms if sums is None else tuple(a + b for a, b in zip(sums, terms, strict=True))
    return FrameAttention(*(total / spatial for total in sums))


def pooled(q: Tensor, k: Tensor, scale: float) -> FrameAttention:
    """The mean query of each frame attends to the mean keys of all frames. Shapes as in `same_position`."""
    return _measured(_softmax_scores(q.mean(3, dtype=torch.float32), k.mean(3, dtype=torch.float32), scale))


def exact(q: Tensor, k: Tensor, scale: float, rows: int | None = None, offset: float = 0.0) -> FrameAttention:
    """The true frame mass: for query rows of frame i, the softmax over all video keys summed by key frame.

    Args:
        q, k, scale: as in `same_position`.
        rows: query rows sampled in each frame, evenly spaced (None = all of them: exact).
        offset: place of the first sampled row in its interval, in [0, 1); another one a call spreads the rows.
    """
    batch, heads, frames, spatial, width = q.shape
    rows = spatial if rows is None else min(rows, spatial)
    position = ((torch.arange(rows, device=q.device) + offset) * (spatial / rows)).long()
    sampled, keys = q[..., position, :].flatten(2, 3), k.flatten(2, 3)
    mass = [
        _frame_mass(sampled[sample, head], keys[sample, head], scale, frames) for sample in range(batch) for head in range(heads)
    ]
    return _measured(torch.stack(mass).view(batch, heads, frames, rows, frames).mean(3))


def _frame_mass(q: Tensor, k: Tensor, scale: float, frames: int) -> Tensor:
    """[n, D] query rows, [F * S, D] keys of one head -> [n, F] share of each row's attention that goes to each frame.

    A head at a time: only its keys are brought to float32, and only a part of its rows meets all keys at once.
    """
    k = k.float()
    parts = [_softmax_scores(q[part], k, scale) for part in _chunks(len(q), MOST_ELEMENTS // len(k))]
    return torch.cat([part.unflatten(-1, (frames, -1)).sum(-1) for part in parts])


def rotating_offset(step: int, block: int) -> float:
    """Where `exact` samples its rows at this step and block: repeatable, and spread evenly over a run."""
    golden_ratio = (math.sqrt(5) - 1) / 2
    return ((step * 1009 + block + 1) * golden_ratio) % 1.0


def _by_position(x: Tensor) -> Tensor:
    """[B, H, F, S, D] -> contiguous float32 [B, S, H, F, D]: small products run three times as fast on neighbouring memory."""
    return x.permute(0, 3, 1, 2, 4).contiguous().float()


def _position_sums(pattern: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[B, S, H, F, F] -> sums over positions of the pattern, of its row entropy and of its density.

    The densities are summed in one product: sum of X_s X_s^T with X_s = A_s / |A_s| is X X^T of their concatenation.
    """
    unit = pattern / pattern.square().sum((-2, -1), keepdim=True).sqrt()
    joined = unit.permute(0, 2, 3, 1, 4).flatten(3)
    return pattern.sum(1), row_entropy(pattern).sum(1), joined @ joined.mT


def _measured(matrix: Tensor) -> FrameAttention:
    return FrameAttention(matrix, row_entropy(matrix), density(matrix))


def _softmax_scores(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """[..., n, D], [..., m, D] -> [..., n, m] attention pattern in float32."""
    return torch.softmax((q.float() @ k.float().mT) * scale, -1)


def _chunks(length: int, size: int) -> Iterator[slice]:
    size = max(size, 1)
    return (slice(i, min(i + size, length)) for i in range(0, length, size))
