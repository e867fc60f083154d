"""Entropy of attention rows from their scores, the mean of the values, and energies of attention outputs.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 3.1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

EXCLUDED = -1e4  # a bias below it takes a key out of the row; hosts write -inf, or the lowest number of the dtype
SMALLEST = -80.0  # exp of it is 0 next to the row's largest weight, and times it still 0
ROWS_AT_ONCE = 256
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def row_entropy(scores: Tensor) -> Tensor:
    """[..., n, m] scores before softmax -> [..., n] H / log(number of keys): 0 for one key, 1 for all of them alike.

    H(A_i) = -sum_j A_ij log A_ij = log Z - E[s], with the largest score of the row at 0 so that nothing cancels. Masked keys are
    not counted; NaN in a row with a single key, which is both at once. In float32.
    """
    scores = scores.float()
    scores = scores - scores.amax(-1, keepdim=True)
    keys = (scores > EXCLUDED).sum(-1)
    scores = scores.clamp(min=SMALLEST)
    weights = scores.exp()
    total = weights.sum(-1)
    return (total.log() - (weights * scores).sum(-1) / total) / keys.log()


def spread(count: int, total: int, offset: float, device: torch.device) -> Tensor:
    """`count` different places among `total` (all of them if there are no more), made on the device.

    Steps of the golden ratio: even steps would meet the same few columns of every frame wherever they divide its width.
    """
    if count >= total:
        return torch.arange(total, device=device)
    places = (torch.arange(count, device=device) * GOLDEN_RATIO + offset) % 1.0
    return (places * total).long().clamp(max=total - 1)


def additive(bias: Tensor) -> Tensor:
    """A bias that adds to scores, in float32; a boolean one says which keys count."""
    if bias.dtype == torch.bool:
        return torch.zeros_like(bias, dtype=torch.float32).masked_fill(~bias, -math.inf)
    return bias.float()


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
