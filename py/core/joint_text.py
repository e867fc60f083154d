"""Texts side by side in a joint attention: a low-rank bias says how much each frame, and each text itself, sees of each text.

Our extension of VSTAR's section 3.4, whose authors have cross-attention only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .attention import Attention, LowRankBias
from .frame_text import RowText

UNSEEN = -100.0  # of a score: e^-100 of the weight


@dataclass(frozen=True, eq=False)
class Factors:
    """The bias of one row as two factors with a column for each text: float32 [F, r], [r], [L, r] and [L, r]."""

    frames: Tensor
    others: Tensor
    queries: Tensor
    keys: Tensor


@dataclass(frozen=True, eq=False)
class JointText:
    """Where the texts begin in the joint sequence, and the factors of each row, None for one with a single text."""

    start: int
    rows: tuple[Factors | None, ...]


def factors(row: RowText, device: torch.device) -> Factors:
    """Frame f sees text n with the weight that its mixture gives it; a text sees itself and no other.

    Other tokens, such as those of a reference image, see what frames see on average.
    """
    count, tokens = len(row.edges) - 1, row.edges[-1]
    frames = torch.full((len(row.plan.of_frame), count), UNSEEN)
    for frame, number in enumerate(row.plan.of_frame):
        first, share = row.plan.mixtures[number]
        frames[frame, first] = math.log1p(-share)
        if share:
            frames[frame, first + 1] = math.log(share)
    queries, keys = torch.full((tokens, count), UNSEEN), torch.zeros(tokens, count)
    for number in range(count):
        queries[row.tokens(number), number] = 0.0
        keys[row.tokens(number), number] = 1.0
    others = frames.exp().mean(0).log().clamp(min=UNSEEN)
    return Factors(*(x.to(device, non_blocking=True) for x in (frames, others, queries, keys)))


def biases(call: Attention, joint: JointText) -> tuple[LowRankBias, ...]:
    """The biases of a joint attention: one for each set of rows with the same texts."""
    rows: dict[int, list[int]] = {}
    for row, own in enumerate(joint.rows):
        if own is not None:
            rows.setdefault(id(own), []).append(row)
    return tuple(_bias(call, joint, tuple(same)) for same in rows.values())


def _bias(call: Attention, joint: JointText, rows: tuple[int, ...]) -> LowRankBias:
    own, grid = joint.rows[rows[0]], call.forward.grid
    text = slice(joint.start, joint.start + len(own.keys))
    keys = own.keys.new_zeros(grid.tokens, own.keys.shape[1])
    queries = own.others.expand(grid.tokens, -1).clone()
    queries[grid.video] = own.frames.repeat_interleave(grid.spatial, 0)
    queries[text] = own.queries
    keys[text] = own.keys
    return LowRankBias(rows, queries[None, None], keys[None, None])
