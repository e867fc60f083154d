"""The similarity matrix of a video's frames as a picture (VSTAR, Fig. 8 and S.1)."""

from __future__ import annotations

from torch import Tensor

from ..core.similarity import FrameSimilarity
from .figure import SEQUENTIAL, caption, figure, ticks, to_image

MOST_TICKS = 12


def similarity_matrix(found: FrameSimilarity, frames: list[int]) -> Tensor:
    """[1, height, 1024, 3] picture on the colour scale 0 to 1.

    Args:
        frames: the frame number in the video of each row.
    """
    with figure(height=7.0, title="How alike the frames are", layout="compressed") as drawing:
        axes = drawing.subplots()
        mesh = axes.imshow(found.matrix.numpy(), cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest")
        caption(axes, found.source)
        shown = ticks(len(frames), MOST_TICKS)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(shown, [str(frames[i]) for i in shown])
        axes.set_xlabel("frame of the video")
        axes.set_ylabel("frame of the video")
        drawing.colorbar(mesh, ax=axes, label="similarity", pad=0.02, fraction=0.046)
        return to_image(drawing)
