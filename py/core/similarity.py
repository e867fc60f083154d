"""How alike the frames of a reference video are: what dynamics transfer gives TAR in place of its Gaussian.

VSTAR (Li et al.), section 4, "Transferring dynamics from real videos via TAR".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import TemporalAttentionError

ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class FrameSimilarity:
    """How alike each frame of a video is to each other one.

    Args:
        matrix: [F, F] float32 on the CPU, F >= 2, in [0, 1], symmetric, 1 on the diagonal.
        source: what was compared, and by what, in words.
        spacing: frames of the video from one row of the matrix to the next.

    Raises TemporalAttentionError where the matrix is not so.
    """

    matrix: Tensor
    source: str
    spacing: float = 1.0

    def __post_init__(self):
        wrong = _wrong(self.matrix)
        if wrong:
            raise TemporalAttentionError(
                "a float32 similarity matrix [F, F] on the CPU, in [0, 1], symmetric, with 1 on its diagonal",
                f"one {wrong}",
                "Make it with Frame Similarity.",
            )


def _wrong(matrix: Tensor) -> str:
    """What is wrong with a similarity matrix, "" if nothing is."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        return f"of shape {list(matrix.shape)}"
    if matrix.dtype != torch.float32 or matrix.device.type != "cpu":
        return f"in {matrix.dtype} on {matrix.device}"
    if not torch.isfinite(matrix).all():
        return "with NaN or infinity in it"
    if matrix.min() < 0 or matrix.max() > 1:
        return f"from {matrix.min():g} to {matrix.max():g}"
    if not torch.allclose(matrix, matrix.mT, rtol=0, atol=ROUNDING):
        return "that is not symmetric"
    if not torch.allclose(matrix.diagonal(), torch.ones(len(matrix)), rtol=0, atol=ROUNDING):
        return f"with {matrix.diagonal().min():g} on its diagonal"
    return ""
