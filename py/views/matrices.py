"""Frame attention matrices of chosen blocks and steps, side by side on one colour scale."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..core.errors import TemporalAttentionError
from ..core.events import Branch
from ..core.trace import Record, Trace
from .figure import SEQUENTIAL, figure, to_image
from .quantities import frames

MOST_COLUMNS, MOST_ROWS = 8, 12
ROOM, LARGEST_CELL, MARGIN, LABELS = 6.8, 2.4, 0.9, 0.12  # inches


def frame_matrices(
    trace: Trace, blocks: set[int] | None, steps: set[int] | None, branch: Branch | None, after: bool, note: str = ""
) -> Tensor:
    """[1, height, 1024, 3] picture: a row of F x F matrices a block, a column a step; all steps and blocks thinned to fit.

    Raises TemporalAttentionError where the trace holds none of them.
    """
    records = trace.select(branch, steps, blocks)
    if not records:
        raise TemporalAttentionError(
            "recorded attention in the chosen blocks, steps and branch", "none", f"The run has {_extent(trace)}."
        )
    shown_blocks = _thinned(sorted({r.site.block for r in records}), MOST_ROWS)
    shown_steps = _thinned(sorted({r.step.index for r in records}), MOST_COLUMNS)
    cells = {(b, s): _mean(records, b, s, after) for b in shown_blocks for s in shown_steps}
    top = max(float(m.max()) for m in cells.values() if m is not None)
    which = "after the edits" if after else "as the model made it"
    cell = min(ROOM / len(shown_steps), LARGEST_CELL) + LABELS
    with figure(height=MARGIN + cell * len(shown_blocks), title=f"Frame attention {which}{note}") as drawing:
        grid = drawing.subplots(len(shown_blocks), len(shown_steps), squeeze=False, sharex=True, sharey=True)
        for (b, s), axes in zip(cells, grid.flat, strict=True):
            mesh = _draw(axes, cells[b, s], top)
            if b == shown_blocks[0]:
                axes.set_title(f"step {s}", loc="center", fontsize=8)
            if s == shown_steps[0]:
                axes.set_ylabel(f"block {b}\nframe", fontsize=8)
            if b == shown_blocks[-1]:
                axes.set_xlabel("attends to", fontsize=8)
        drawing.colorbar(mesh, ax=grid, label="share of attention", pad=0.02, aspect=30)
        return to_image(drawing)


def _draw(axes, matrix: np.ndarray | None, top: float):
    shown = np.full((2, 2), np.nan) if matrix is None else matrix
    ends = [0, len(shown) - 1]
    axes.set_xticks(ends)
    axes.set_yticks(ends)
    return axes.imshow(shown, cmap=SEQUENTIAL, vmin=0, vmax=top, interpolation="nearest")


def _mean(records: list[Record], block: int, step: int, after: bool) -> np.ndarray | None:
    found = [frames(r, after) for r in records if r.site.block == block and r.step.index == step]
    return np.mean([m for m in found if m.shape == found[0].shape], axis=0) if found else None


def _thinned(values: list[int], most: int) -> list[int]:
    if len(values) <= most:
        return values
    return [values[round(i)] for i in np.linspace(0, len(values) - 1, most)]


def _extent(trace: Trace) -> str:
    blocks = {r.site.block for r in trace.records}
    steps = {r.step.index for r in trace.records}
    return f"blocks {min(blocks)}-{max(blocks)} and steps {min(steps)}-{max(steps)}" if blocks else "no records at all"
