"""Frame attention matrices of chosen blocks and steps, side by side on one colour scale."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..core.events import Branch
from ..core.trace import Record, Trace
from .figure import MISSING, SEQUENTIAL, figure, to_image
from .quantities import chosen_records, frames

MOST_COLUMNS, MOST_ROWS = 8, 12
ROOM, LARGEST_MATRIX, MARGIN = 6.6, 3.4, 1.0  # inches
GAP = 0.12  # between two matrices, as a share of one
GAP_VALUE = 2.0  # above every share of attention, so that the colour map paints it white
HOW_TO_READ = "Each matrix: a row is a latent frame, a column the frame it attends to, both from 0 at the upper left to {last}"


def frame_matrices(
    trace: Trace, blocks: set[int] | None, steps: set[int] | None, branch: Branch | None, after: bool, note: str = ""
) -> Tensor:
    """[1, height, 1024, 3] picture: a row of F x F matrices a block, a column a step; all steps and blocks thinned to fit.

    Raises TemporalAttentionError where the trace holds none of them.
    """
    records = chosen_records(trace, branch, steps, blocks)
    shown_blocks = _thinned(sorted({r.site.block for r in records}), MOST_ROWS)
    shown_steps = _thinned(sorted({r.step.index for r in records}), MOST_COLUMNS)
    size = max(len(frames(r, after)) for r in records)
    cells = [[_mean(records, b, s, after, size) for s in shown_steps] for b in shown_blocks]
    which = "after the edits" if after else "as the model made it"
    side = min(ROOM / len(shown_steps), LARGEST_MATRIX)
    with figure(height=MARGIN + side * len(shown_blocks), title=f"Frame attention {which}{note}", layout="compressed") as drawing:
        axes = drawing.subplots()
        mosaic, period = _mosaic(cells, size)
        top = mosaic[mosaic <= 1].max()
        mesh = axes.imshow(mosaic, cmap=_colour_map(), vmin=0, vmax=top, interpolation="nearest")
        drawing.supxlabel(HOW_TO_READ.format(last=size - 1), color="#555555", fontsize=8)
        _label(axes.xaxis, "step", shown_steps, size, period)
        _label(axes.yaxis, "block", shown_blocks, size, period)
        axes.spines[:].set_visible(False)
        drawing.colorbar(mesh, ax=axes, label="share of attention", pad=0.02, fraction=0.04)
        return to_image(drawing)


def _mosaic(cells: list[list[np.ndarray]], size: int) -> tuple[np.ma.MaskedArray, int]:
    """All matrices in one array with gaps above every share between them, and the distance from one to the next."""
    period = size + max(1, round(GAP * size))
    mosaic = np.full((period * len(cells) - (period - size), period * len(cells[0]) - (period - size)), GAP_VALUE)
    for i, row in enumerate(cells):
        for j, matrix in enumerate(row):
            mosaic[i * period : i * period + size, j * period : j * period + size] = matrix
    return np.ma.masked_where(np.isnan(mosaic), mosaic), period


def _colour_map():
    """The scale of shares; grey where a cell was not recorded, white between matrices."""
    import matplotlib

    return matplotlib.colormaps[SEQUENTIAL].with_extremes(bad=MISSING, over="white")


def _label(axis, name: str, numbers: list[int], size: int, period: int) -> None:
    axis.set_ticks([(size - 1) / 2 + i * period for i in range(len(numbers))], [f"{name} {n}" for n in numbers])
    axis.set_tick_params(length=0)


def _mean(records: list[Record], block: int, step: int, after: bool, size: int) -> np.ndarray:
    """[size, size] mean over samples, branches and windows of that many frames; NaN where there are none."""
    found = [frames(r, after) for r in records if r.site.block == block and r.step.index == step]
    whole = [m for m in found if len(m) == size]
    return np.mean(whole, axis=0) if whole else np.full((size, size), np.nan)


def _thinned(values: list[int], most: int) -> list[int]:
    if len(values) <= most:
        return values
    return [values[round(i)] for i in np.linspace(0, len(values) - 1, most)]
