"""Attention with an additive bias a b^T on its scores that is never multiplied out for all tokens at once.

softmax(scale q k^T + a b^T) v equals softmax(scale [q, a / scale] [k, b]^T) [v, 0]: the model's own fused kernel on wider heads.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from .masks import additive

MULTIPLE = 8  # of a head's width: fused kernels want it
WIDEST = 256  # head that fused kernels take
FEW = 256  # keys that are seen at once where it hardly matters how

Kernel = Callable[[Tensor, Tensor, Tensor, "Tensor | None"], Tensor]  # (q, k, v, bias) -> output


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float, kernel: Kernel) -> Tensor:
    """softmax(scale q k^T + bias + a b^T) v, by the way that measured best (docs/performance.md).

    Args:
        q, k, v: [B, H, Lq, D], [B, H, Lk, D], [B, H, Lk, D].
        bias: [B or 1, H or 1, Lq or 1, Lk], boolean (True = may attend) or additive, or None.
        a, b: [B or 1, H or 1, Lq, r] and [B or 1, H or 1, Lk, r], finite, in any floating dtype.
        scale: factor of the scores; `kernel` must apply this very factor whatever the width of the heads.
        kernel: a plain attention. Some that see few keys at once, such as those of frames alone, know no other width.
    """
    few_keys = k.shape[2] <= FEW
    fits = q.shape[3] + _padded(q.shape[3], a.shape[3]) <= WIDEST
    if few_keys or not fits:
        return by_masks(q, k, v, bias, a, b, kernel)
    return by_columns(q, k, v, bias, a, b, scale, kernel)


def by_columns(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float, kernel: Kernel
) -> Tensor:
    """a / scale and b as more columns of q and k, zeros beside v. Arguments as in `attend`.

    a and b are rounded to the dtype of q: in bfloat16 to 8 bits, which changes the scores less than the rounding of q and k does.
    """
    width = q.shape[3]
    more = _padded(width, a.shape[3])
    return kernel(*with_columns(q, k, a, b, scale, more), pad(v, (0, more)), bias)[..., : v.shape[3]]


def with_columns(q: Tensor, k: Tensor, a: Tensor, b: Tensor, scale: float, columns: int | None = None) -> tuple[Tensor, Tensor]:
    """[q, a / scale, 0] and [k, b, 0], whose products are the biased scores over scale. `columns`: how many are added."""
    zeros = 0 if columns is None else columns - a.shape[3]
    return _beside(q, a / scale, zeros), _beside(k, b, zeros)


def by_masks(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, kernel: Kernel) -> Tensor:
    """A mask for some queries at a time, never larger than q: for heads that may not grow. Arguments as in `attend`."""
    bias = None if bias is None else additive(bias, q.dtype)
    size = max(1, q.shape[2] * q.shape[3] // k.shape[2])
    keys = b.mT.to(a.dtype)
    parts = []
    for start in range(0, q.shape[2], size):
        some = slice(start, start + size)
        mask = (a[:, :, some] @ keys).to(q.dtype)
        if bias is not None:
            mask = mask + (bias if bias.shape[2] == 1 else bias[:, :, some])
        parts.append(kernel(q[:, :, some], k, v, mask))
    return torch.cat(parts, 2) if len(parts) > 1 else parts[0]


def _padded(width: int, rank: int) -> int:
    """Columns to add so that all `rank` fit and the head's width is a multiple of 8."""
    return -(width + rank) % MULTIPLE + rank


def _beside(x: Tensor, columns: Tensor, zeros: int) -> Tensor:
    """[x, columns, zeros] along the last axis, in the dtype of x."""
    columns = pad(columns.to(x.dtype), (0, zeros))
    return torch.cat([x, columns.expand(*x.shape[:-1], -1)], -1)
