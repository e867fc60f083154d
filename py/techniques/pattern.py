"""The attention patterns of one call: their entropy from sampled rows, and what a uniform one would give.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 3.1. Rows are those of video queries; their keys
are all that such a row may attend to: in a joint attention the text as well; padding that a mask takes out is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.attention import Attention
from ..core.checks import sampled_rows
from ..core.low_rank import with_biases
from ..maths.frame_attention import rotating_offset
from ..maths.masks import additive
from ..maths.pattern_entropy import mean_of_values, row_entropy, spread

FOLDED = frozenset({"temporal", "spatial"})  # kinds with many patterns in one call
SQUARE = frozenset({"self", "joint"}) | FOLDED  # kinds whose tokens are among their own keys


@dataclass(frozen=True)
class PatternEntropy:
    """Mean row entropy over log(number of keys), from `rows` query rows of each head.

    Temporal attention has a small pattern at every position: there all rows of `rows` positions are taken.
    """

    rows: int = 64

    def __post_init__(self):
        sampled_rows(self.rows)

    def measure(self, call: Attention) -> Tensor:
        """[B, H] in float32, measured once however often it is asked for."""
        return call.once(self, (call.q, call.k, call.bias, call.low_rank), lambda: self._measure(call))

    def _measure(self, call: Attention) -> Tensor:
        q, k = with_biases(call)
        scores_by_head = sampled_scores(call.edit(q=q, k=k), self.rows)
        heads = [row_entropy(scores, masked=call.bias is not None).mean() for scores in scores_by_head]
        return torch.stack(heads).view(call.q.shape[:2])


def sampled_scores(call: Attention, rows: int) -> Iterator[Tensor]:
    """The biased scores [patterns, n, m] of sampled rows, in float32, for every sample and in it every head, one at a time."""
    q, k, bias = _sampled(call, rows)
    for sample in range(q.shape[0]):
        for head in range(q.shape[1]):
            scores = (call.scale * q[sample, head].float()) @ k[sample, head].float().mT
            yield scores if bias is None else scores + additive(bias[sample % len(bias), head % bias.shape[1]])


def uniform(call: Attention) -> Tensor:
    """UV for the video rows: float32 [B, H, video tokens or 1, D], each the mean over the keys of its row."""
    grid, kind = call.forward.grid, call.site.kind
    if kind == "cross" and call.forward.text is not None:  # frames with texts of their own: only the kernel knows whose
        return call.edit(q=torch.zeros_like(call.q), low_rank=()).attend()[:, :, grid.video].float()
    bias = _of_queries(call.bias, lambda x: _by_pattern(call, x[:, :, grid.video]))
    mean = mean_of_values(_by_pattern(call, call.v), bias)
    if kind in FOLDED:
        mean = mean.transpose(2, 3) if kind == "temporal" else mean
        mean = mean.expand(-1, -1, grid.frames, grid.spatial, -1)
    return mean.flatten(2, 3)


def identity(call: Attention) -> Tensor:
    """IV for the video rows: their own values [B, H, video tokens, D]; for the kinds in SQUARE."""
    return call.v[:, :, call.forward.grid.video]


def _sampled(call: Attention, rows: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Sampled queries [B, H, P, n, D], their keys [B, H, P, m, D], and the bias [b, h, P or 1, n or 1, m] of their scores."""
    grid, kind = call.forward.grid, call.site.kind
    offset = rotating_offset(call.forward.step.index, call.site.block)
    if kind == "temporal":
        positions = spread(rows, grid.spatial, offset, call.q.device)

        def at_positions(x: Tensor) -> Tensor:
            return _by_pattern(call, x)[:, :, positions]

        return at_positions(call.q), at_positions(call.k), _of_queries(call.bias, at_positions)
    patterns = grid.frames if kind == "spatial" else 1
    tokens = grid.start + spread(-(-rows // patterns) * patterns, grid.alone.tokens, offset, call.q.device)

    def of_tokens(x: Tensor) -> Tensor:
        return x[:, :, tokens].unflatten(2, (patterns, -1))

    return of_tokens(call.q), _by_pattern(call, call.k), _of_queries(call.bias, of_tokens)


def _by_pattern(call: Attention, x: Tensor) -> Tensor:
    """[B, H, L, D] -> [B, H, P, tokens of a pattern, D] (a view): P positions in time, P frames in space, else all in one."""
    if call.site.kind not in FOLDED:
        return x.unsqueeze(2)
    x = call.forward.grid.by_frame(x)
    return x.transpose(2, 3) if call.site.kind == "temporal" else x


def _of_queries(bias: Tensor | None, chosen: Callable[[Tensor], Tensor]) -> Tensor | None:
    """The bias of the queries that `chosen` takes, as [b, h, P or 1, n or 1, m]: one row stands for all of them."""
    return bias if bias is None else chosen(bias) if bias.shape[2] > 1 else bias.unsqueeze(2)
