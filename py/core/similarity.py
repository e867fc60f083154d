"""How alike the frames of a reference video are: what a technique may use instead of a formula between frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .errors import TemporalAttentionError


@dataclass(frozen=True, eq=False)
class FrameSimilarity:
    """matrix [F', F'] float32 on the CPU, values in [0, 1]; `source` says in words how it was measured."""

    matrix: Tensor
    source: str

    def __post_init__(self):
        if self.matrix.ndim != 2 or self.matrix.shape[0] != self.matrix.shape[1] or len(self.matrix) < 2:
            shape = " x ".join(map(str, self.matrix.shape))
            raise TemporalAttentionError("a square matrix of at least 2 frames", f"one of {shape}", "Measure a longer clip.")
        if not self.matrix.isfinite().all():
            raise TemporalAttentionError("finite similarities", "a matrix with NaN or infinity", "Measure another clip.")
