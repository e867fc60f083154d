"""Small block x step heatmaps for pages of several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..figure import colour_map, colours, ticks
from .common import BETTER_MAP, Look, heading

MOST_TICKS = 6


@dataclass(frozen=True)
class Panel:
    """A heatmap: its title, its [blocks, steps] cells, what means "nothing to see", and whether the sign says better or worse."""

    title: str
    cells: np.ndarray
    center: float | None = None
    better: bool = False


def draw_cells(drawing, axes, panel: Panel, look: Look, outer: tuple[bool, bool]) -> None:
    """Draws a panel; `outer` says whether it stands at the left and at the bottom of the page, where the axes are named."""
    cmap, low, high = colours(panel.cells, panel.center)
    cmap = colour_map(BETTER_MAP if panel.better else cmap.name, look.theme.missing)
    cells = np.ma.masked_invalid(panel.cells)
    mesh = axes.imshow(cells, cmap=cmap, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    axes.spines[:].set_visible(False)
    for count, set_ticks in zip(panel.cells.shape, (axes.set_yticks, axes.set_xticks), strict=True):
        set_ticks(ticks(count, MOST_TICKS))
    left, bottom = outer
    axes.set_ylabel("block" if left else "")
    axes.set_xlabel("step" if bottom else "")
    heading(axes, panel.title, look, _summary(panel.cells))
    bar = drawing.colorbar(mesh, ax=axes, pad=0.03)
    bar.ax.locator_params(nbins=4)
    bar.outline.set_visible(False)


def _summary(cells: np.ndarray) -> str:
    known = cells[np.isfinite(cells)]
    return f"mean {known.mean():.3g}" if known.size else "nothing recorded"
