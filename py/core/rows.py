"""Taking some batch rows out of a call and putting their results back, without index tensors (they would make a GPU wait)."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from ..maths.masks import additive, without_effect
from .attention import Attention
from .events import Block

Call = TypeVar("Call", Attention, Block)
TENSORS = {Attention: ("q", "k", "v", "bias", "out"), Block: ("x",)}


def take(x: Tensor, rows: tuple[int, ...]) -> Tensor:
    """Rows of x along its first axis; a view where they are neighbours."""
    first, last = rows[0], rows[-1]
    if rows == tuple(range(first, last + 1)):
        return x[first : last + 1]
    return torch.stack([x[i] for i in rows])


def put(x: Tensor, rows: tuple[int, ...], part: Tensor) -> Tensor:
    """A copy of x in which `rows` are replaced by `part`."""
    x = x.clone()
    for i, row in enumerate(rows):
        x[row] = part[i]
    return x


def put_bias(bias: Tensor | None, rows: tuple[int, ...], part: Tensor | None, count: int) -> Tensor:
    """The bias (as in `Attention`) of `count` rows, in which that of `rows` is `part`: what rows shared becomes one a row."""
    bias = without_effect(part[:1]) if bias is None else bias
    part = without_effect(bias[:1]) if part is None else part
    if bias.dtype != part.dtype:
        dtype = part.dtype if bias.dtype == torch.bool else bias.dtype
        bias, part = additive(bias, dtype), additive(part, dtype)
    shape = torch.broadcast_shapes(bias.shape[1:], part.shape[1:])
    return put(bias.expand(count, *shape), rows, part.expand(len(rows), *shape))


def gather(parts: dict[tuple[int, ...], Tensor]) -> Tensor:
    """One tensor from parts [n, ...] by the rows that they are for, which together are all rows."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    rows = {row: part[i] for numbers, part in parts.items() for i, row in enumerate(numbers)}
    return torch.stack([rows[i] for i in range(len(rows))])


def take_call(call: Call, rows: tuple[int, ...]) -> Call:
    """The call as it looks to somebody who may see only `rows` of it."""
    changes = {name: take(getattr(call, name), rows) for name in TENSORS[type(call)] if _per_row(call, name)}
    return call.edit(rows=rows, **changes)


def put_call(call: Call, part: Call, before: Call) -> Call:
    """The call with what `part` changed against `before` (both as `take_call` gave them) written into its rows."""
    changes = {}
    for name in TENSORS[type(call)]:
        new = getattr(part, name)
        if new is not getattr(before, name):
            old = getattr(call, name)
            changes[name] = put_bias(old, part.rows, new, len(call.rows)) if name == "bias" else put(old, part.rows, new)
    if isinstance(call, Attention) and part.low_rank is not before.low_rank:
        changes["low_rank"] = part.low_rank  # it says itself which rows it is for
    return call.edit(**changes) if changes else call


def _per_row(call: Call, name: str) -> bool:
    x = getattr(call, name)
    return x is not None and x.shape[0] == len(call.rows)
