"""Entropy of attention rows from their scores, the mean of the values, and energies of attention outputs.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 3.1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .masks import additive

EXCLUDED = -1e4  # a bias below it takes a key out of the row; hosts write -inf, or the lowest number of the dtype
ROWS_AT_ONCE = 64
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def row_entropy(scores: Tensor, masked: bool = True) -> Tensor:
    """[..., n, m] float32 scores before softmax -> [..., n] H / log(number of keys): 0 for one key, 1 for all of them alike.

    H(A_i) = -sum_j A_ij log A_ij = log Z - E[s], where log Z is the largest score less the log of its weight. Masked keys are not
    counted; `masked` = False spares looking for them. NaN in a row with a single key, which is both at once.
    """
    highest, weights = scores.amax(-1), torch.softmax(scores, -1)
    keys = scores.shape[-1]
    if masked:
        kept = scores > highest.unsqueeze(-1) + EXCLUDED
        keys, scores = kept.sum(-1), scores.masked_fill(~kept, 0.0)  # 0 x -inf is no number
    entropy = (highest - torch.linalg.vecdot(weights, scores)) - weights.amax(-1).log()
    if not masked:
        return entropy / math.log(keys) if keys > 1 else torch.full_like(entropy, math.nan)
    return torch.where(keys > 1, entropy / keys.log(), math.nan)


def spread(count: int, total: int, offset: float, device: torch.device) -> Tensor:
    """`count` places among `total` (all of them if there are no more), rising, made on the device.

    The range is cut into `count` equal parts, and one place is taken in each. Its position inside the part shifts by the golden
    ratio from part to part: with even steps that divide a frame's width, only a few columns of every frame would be sampled.
    `offset` in [0, 1) shifts all of them.
    """
    if count >= total:
        return torch.arange(total, device=device)
    part = torch.arange(count, device=device)
    place = (part * GOLDEN_RATIO + offset) % 1.0
    return ((part + place) * (total / count)).long().clamp(max=total - 1)


def mean_of_values(v: Tensor, bias: Tensor | None = None) -> Tensor:
    """UV: [..., m, D] -> float32 [..., 1, D], each row the mean of the values of its keys.

    With a bias [..., n, m] or [..., 1, m]: [..., n, D] or [..., 1, D], over the keys that it does not take out; rows in parts.
    """
    if bias is None:
        return v.mean(-2, keepdim=True, dtype=torch.float32)
    v = v.float()
    kept = ((additive(part) > EXCLUDED).float() for part in bias.split(ROWS_AT_ONCE, dim=-2))
    return torch.cat([keys @ v / keys.sum(-1, keepdim=True) for keys in kept], dim=-2)


def energy(x: Tensor) -> Tensor:
    """[B, H, L, D] -> float32 [B] sum of squares over heads, tokens and channels: one reduction, no copy of x."""
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), dtype=torch.float32).square()
