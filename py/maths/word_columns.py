"""The columns of a softmax that belong to a few keys, without ever holding the other columns of all rows."""

from __future__ import annotations

import torch
from torch import Tensor

from .masks import additive

MOST_ELEMENTS = 2**22


def softmax_columns(q: Tensor, k: Tensor, keys: tuple[int, ...], scale: float, bias: Tensor | None = None) -> Tensor:
    """softmax(scale q k^T + bias)[..., keys], computed in float32 for a part of the rows at a time, as its gradient is.

    Args:
        q: [B, H, Lq, D]. k: [B, H, Lk, D].
        keys: which columns.
        bias: [B or 1, H or 1, Lq or 1, Lk], boolean (True = may attend) or additive, or None. It is held constant.

    Returns:
        float32 [B, H, Lq, len(keys)].
    """
    return _Columns.apply(q, k, bias, tuple(keys), scale)


class _Columns(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, bias: Tensor | None, keys: tuple[int, ...], scale: float) -> Tensor:
        ctx.save_for_backward(q, k, bias)
        ctx.keys, ctx.scale = keys, scale
        parts = [_columns(q[:, :, rows], k, _rows_of(bias, rows), keys, scale) for rows in _parts(q, k)]
        return torch.cat(parts, dim=2)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, bias = ctx.saved_tensors
        whole = [torch.empty_like(q), torch.zeros_like(k, dtype=torch.float32)]
        k = k.detach().requires_grad_(ctx.needs_input_grad[1])
        for rows in _parts(q, k):
            part = q[:, :, rows].detach().requires_grad_()
            with torch.enable_grad():
                columns = _columns(part, k, _rows_of(bias, rows), ctx.keys, ctx.scale)
            found = torch.autograd.grad(columns, [part, k] if k.requires_grad else [part], gradient[:, :, rows])
            whole[0][:, :, rows] = found[0]
            whole[1] += found[1] if k.requires_grad else 0
        return whole[0], whole[1].to(k.dtype) if k.requires_grad else None, None, None, None


def _columns(q: Tensor, k: Tensor, bias: Tensor | None, keys: tuple[int, ...], scale: float) -> Tensor:
    scores = (scale * q.float()) @ k.float().mT
    if bias is not None:
        scores = scores + additive(bias)
    total = scores.logsumexp(-1)
    return torch.stack([(scores[..., key] - total).exp() for key in keys], dim=-1)  # an index tensor would make a GPU wait


def _parts(q: Tensor, k: Tensor) -> list[slice]:
    """The rows of q in parts whose scores have at most MOST_ELEMENTS elements."""
    batch, heads, length, _ = q.shape
    step = max(1, MOST_ELEMENTS // (batch * heads * k.shape[2]))
    return [slice(start, start + step) for start in range(0, length, step)]


def _rows_of(bias: Tensor | None, rows: slice) -> Tensor | None:
    return bias if bias is None or bias.shape[2] == 1 else bias[:, :, rows]
