"""The columns of a softmax that belong to a few keys, without ever holding the other columns of all rows."""

from __future__ import annotations

from collections.abc import Iterator

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
        out = torch.empty(*q.shape[:3], len(keys), dtype=torch.float32, device=q.device)
        for heads, parts in _pieces(q, k):
            own_keys = k[heads].float()
            for rows in parts:
                out[(*heads, rows)] = _columns(q[(*heads, rows)], own_keys, _part_of(bias, *heads, rows), keys, scale)
        return out

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, bias = ctx.saved_tensors
        of_queries, of_keys = torch.empty_like(q), torch.zeros_like(k) if ctx.needs_input_grad[1] else None
        for heads, parts in _pieces(q, k):
            own_keys = k[heads].float().detach().requires_grad_(of_keys is not None)
            total = torch.zeros_like(own_keys)
            for rows in parts:
                some = q[(*heads, rows)].detach().requires_grad_()
                with torch.enable_grad():
                    columns = _columns(some, own_keys, _part_of(bias, *heads, rows), ctx.keys, ctx.scale)
                found = torch.autograd.grad(
                    columns, [some, *([own_keys] if own_keys.requires_grad else [])], gradient[(*heads, rows)]
                )
                of_queries[(*heads, rows)] = found[0]
                total += found[1] if own_keys.requires_grad else 0
            if of_keys is not None:
                of_keys[heads] = total.to(k.dtype)
        return of_queries, of_keys, None, None, None


def _columns(q: Tensor, k: Tensor, bias: Tensor | None, keys: tuple[int, ...], scale: float) -> Tensor:
    scores = (scale * q.float()) @ k.mT
    if bias is not None:
        scores = scores + additive(bias)
    total = scores.logsumexp(-1)
    return torch.stack([(scores[..., key] - total).exp() for key in keys], dim=-1)  # an index tensor would make a GPU wait


def _pieces(q: Tensor, k: Tensor) -> Iterator[tuple[tuple[slice, slice], list[slice]]]:
    """((samples, heads), their rows in parts), so that the scores of a part have at most MOST_ELEMENTS elements.

    As many heads at once as that allows with all of their rows, else one: the keys of a piece are brought to float32 once.
    """
    batch, heads, length, _ = q.shape
    fitting = max(1, MOST_ELEMENTS // (length * k.shape[2]))
    samples_each, heads_each = max(1, fitting // heads), min(fitting, heads)
    parts = _slices(length, MOST_ELEMENTS // (min(samples_each, batch) * heads_each * k.shape[2]))
    for samples in _slices(batch, samples_each):
        for some in _slices(heads, heads_each):
            yield (samples, some), parts


def _slices(length: int, size: int) -> list[slice]:
    return [slice(start, start + max(1, size)) for start in range(0, length, max(1, size))]


def _part_of(bias: Tensor | None, *place: slice) -> Tensor | None:
    """These samples, heads and rows of a bias, which may be one for all of them."""
    if bias is None:
        return None
    return bias[tuple(slice(None) if size == 1 else part for part, size in zip(place, bias.shape, strict=False))]
