"""Measuring the frame attention of a call once, however many interventions ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.checks import one_of, sampled_rows
from ..core.events import Attention
from ..core.low_rank import with_biases
from ..maths import frame_attention
from ..maths.frame_attention import FrameAttention

NAMES = ("same_position", "pooled", "exact")


@dataclass(frozen=True)
class Estimator:
    """How frame attention is measured: one of NAMES; `rows` query rows a frame are sampled by `exact`."""

    name: str = "same_position"
    rows: int = 4

    def __post_init__(self):
        one_of("estimator", self.name, NAMES)
        sampled_rows(self.rows)

    def measure(self, call: Attention) -> FrameAttention:
        """The frame attention of the call's video queries and keys with all low-rank biases, all heads, in float32."""
        key = (self, id(call.q), id(call.k), id(call.low_rank))
        if key not in call.memory:
            # They are kept beside the result: an id is only unique while its object lives.
            call.memory[key] = (self._measure(call), call.q, call.k, call.low_rank)
        return call.memory[key][0]

    def _measure(self, call: Attention) -> FrameAttention:
        grid = call.forward.grid
        q, k = map(grid.by_frame, with_biases(call))
        name = "same_position" if call.site.kind == "temporal" else self.name  # there it is all that the model attends to
        if name != "exact":
            return getattr(frame_attention, name)(q, k, call.scale)
        offset = frame_attention.rotating_offset(call.forward.step.index, call.site.block)
        return frame_attention.exact(q, k, call.scale, self.rows, offset)
