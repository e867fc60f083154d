"""The low-rank biases of a call by batch rows: who shares which, and all of one row as a single pair of factors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..maths.low_rank import with_columns
from .attention import Attention, LowRankBias
from .rows import gather, take, take_call


def groups(call: Attention) -> list[tuple[tuple[int, ...], Attention]]:
    """The call in parts whose rows carry the same biases, each with the places of its rows in the call."""
    carried: dict[tuple[LowRankBias, ...], tuple[int, ...]] = {}
    for place, row in enumerate(call.rows):
        biases = tuple(bias for bias in call.low_rank if row in bias.rows)
        carried[biases] = (*carried.get(biases, ()), place)
    if len(carried) == 1:
        return [(places, call.edit(low_rank=biases)) for biases, places in carried.items()]
    return [
        (places, take_call(call, places).edit(rows=tuple(call.rows[place] for place in places), low_rank=biases))
        for biases, places in carried.items()
    ]


def joined(part: Attention) -> tuple[Tensor, Tensor]:
    """The sum of the biases, each of which all rows of the part carry: queries [B, H or 1, Lq, r], keys [B, H or 1, Lk, r]."""
    queries = [_of_rows(bias.queries, bias, part.rows) for bias in part.low_rank]
    keys = [_of_rows(bias.keys, bias, part.rows) for bias in part.low_rank]
    return _side_by_side(queries), _side_by_side(keys)


def with_biases(call: Attention) -> tuple[Tensor, Tensor]:
    """Queries and keys with the biases as columns, so that scale q k^T are the biased scores of every row."""
    if not call.low_rank:
        return call.q, call.k
    wide = [(places, *_with_own_biases(part)) for places, part in groups(call)]
    widest = max(q.shape[-1] for _, q, _ in wide)
    return (
        gather({places: pad(q, (0, widest - q.shape[-1])) for places, q, _ in wide}),
        gather({places: pad(k, (0, widest - k.shape[-1])) for places, _, k in wide}),
    )


def _with_own_biases(part: Attention) -> tuple[Tensor, Tensor]:
    return with_columns(part.q, part.k, *joined(part), part.scale) if part.low_rank else (part.q, part.k)


def _of_rows(factor: Tensor, bias: LowRankBias, rows: tuple[int, ...]) -> Tensor:
    if len(factor) == 1:
        return factor.expand(len(rows), -1, -1, -1)
    return factor if rows == bias.rows else take(factor, tuple(map(bias.rows.index, rows)))


def _side_by_side(factors: Sequence[Tensor]) -> Tensor:
    """One factor with the columns of all."""
    if len(factors) == 1:
        return factors[0]
    heads = max(factor.shape[1] for factor in factors)
    return torch.cat([factor.expand(-1, heads, -1, -1) for factor in factors], -1)
