"""Measuring the frame attention of a call once, however many interventions ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.attention import Attention
from ..core.checks import one_of, sampled_rows
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
        return call.once(self, (call.q, call.k, call.low_rank), lambda: self._measure(call))

    def _measure(self, call: Attention) -> FrameAttention:
        grid = call.forward.grid
        q, k = map(grid.by_frame, with_biases(call))
        name = "same_position" if call.site.kind == "temporal" else self.name  # there it is all that the model attends to
        if name != "exact":
            return getattr(frame_attention, name)(q, k, call.scale)
        offset = frame_attention.rotating_offset(call.forward.step.index, call.site.block)
        return frame_attention.exact(q, k, call.scale, self.rows, offset)
