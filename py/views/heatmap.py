"""Layer x step heatmap of one quantity of a trace (figure D of the STH appendix)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..core.events import Branch
from ..core.trace import Trace
from .figure import caption, colours, figure, ticks, to_image
from .quantities import QUANTITIES, Quantity


def layer_step_heatmap(trace: Trace, quantity: str, branch: Branch | None, full_range: bool = False, note: str = "") -> Tensor:
    """[1, height, 1024, 3] picture: blocks downwards, steps to the right, one cell the mean over samples and heads.

    Args:
        quantity: a key of QUANTITIES.
        branch: rows to average over; None = cond and uncond together.
        full_range: colours span the quantity's natural bounds, so that runs can be compared; else what this run holds.
        note: added to the title, such as where the run came from.
    """
    q = QUANTITIES[quantity]
    cells = trace.by_block_and_step(q.of, branch)
    cmap, low, high = colours(_scale(trace, q, branch, full_range), q.center)
    rows, steps = cells.shape
    rows_title = "cond and uncond" if branch is None else branch.value
    with figure(height=min(max(2.4 + 0.16 * rows, 3.6), 9.0), title=q.label) as drawing:
        axes = drawing.subplots()
        mesh = axes.imshow(np.ma.masked_invalid(cells), cmap=cmap, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
        caption(axes, f"{trace.family}, {rows} blocks, {rows_title}{note}{_summary(cells)}")
        axes.set_xlabel("sampling step")
        axes.set_ylabel("block")
        axes.set_xticks(ticks(steps))
        axes.set_yticks(ticks(rows))
        drawing.colorbar(mesh, ax=axes, pad=0.02, label=quantity)
        return to_image(drawing)


def _scale(trace: Trace, q: Quantity, branch: Branch | None, full_range: bool) -> np.ndarray:
    """The values that the colours must span: natural bounds, or this run's values and those of its partner."""
    if full_range and q.bounds:
        return np.array(q.bounds)
    shown = [q, QUANTITIES[q.partner]] if q.partner else [q]
    return np.concatenate([trace.by_block_and_step(one.of, branch) for one in shown])


def _summary(cells: np.ndarray) -> str:
    known = cells[np.isfinite(cells)]
    if not known.size:
        return "\nnothing was recorded for this quantity in this run (grey = no value)"
    missing = "; grey = not measured" if known.size < cells.size else ""
    return f"\nmean {known.mean():.3f}, from {known.min():.3f} to {known.max():.3f}{missing}"
