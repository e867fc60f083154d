"""Chunk consistency as a picture: how alike neighbouring frames are, pairs across a latent frame's border marked (Fig. 4)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..measures.chunks import ChunkConsistency
from .figure import BLUE, ORANGE, caption, figure, to_image

ACROSS, WITHIN, LINE, BORDER = ORANGE, BLUE, "#b0b0b0", "#e8e8e8"


def consistency_chart(found: ChunkConsistency, by: str) -> Tensor:
    """[1, height, 1024, 3] picture: a dot for each pair of neighbours, its place between the two frames.

    Args:
        by: what the similarity was measured by, such as SSIM.
    """
    place, percent = np.arange(len(found.similarity)) + 0.5, 100 * found.similarity
    with figure(height=4.2, title=f"Similarity of neighbouring frames ({by})") as drawing:
        axes = drawing.subplots()
        for x in place[found.crosses]:
            axes.axvline(x, color=BORDER, linewidth=1, zorder=0)
        axes.plot(place, percent, color=LINE, linewidth=1, zorder=1)
        for kind, colour, chosen in (("across", ACROSS, found.crosses), ("within", WITHIN, ~found.crosses)):
            mean = percent[chosen].mean()
            axes.scatter(place[chosen], percent[chosen], s=20, color=colour, zorder=3, label=f"pairs {kind}: {chosen.sum()}")
            axes.axhline(mean, color=colour, linestyle="--", linewidth=1, zorder=2, label=f"mean {kind}: {mean:.3f} %")
        caption(axes, _summary(found))
        axes.set_xlabel("frame")
        axes.set_ylabel("similarity (%)")
        axes.set_xlim(0, len(place))
        axes.locator_params(axis="x", integer=True)
        axes.ticklabel_format(axis="y", useOffset=False)
        drawing.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
        return to_image(drawing)


def _summary(found: ChunkConsistency) -> str:
    return (
        f"across minus within {100 * found.difference:+.3f} points; a border (grey line) every {found.compression} frames\nless "
        f"alike than both neighbouring pairs: {found.dips} of {found.crosses.sum()} borders"
    )
