"""Figure D: what STH sets and what becomes of tension, in layer x step space."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...measures.paired import reduction
from ...records.trace_set import TraceSet, Video
from ..figure import to_image
from .cells import Panel, draw_cells
from .common import Look, every, grid, page

SHAPE = (2, 3)


def schedule(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: six heatmaps of the treated runs, means over videos. Grey = nothing was set."""
    panels = _panels(traces)
    with page(
        6.4, "D  Where STH acts and what it does: block x step", traces, look, "means over calls of the treated runs", False
    ) as drawing:
        for i, (axes, panel) in enumerate(zip(drawing.subplots(*SHAPE, sharex=True, sharey=True).flat, panels, strict=True)):
            draw_cells(drawing, axes, panel, look, (i % SHAPE[1] == 0, i >= SHAPE[1]))
        return to_image(drawing)


def _panels(traces: TraceSet) -> list[Panel]:
    def cells(of) -> np.ndarray:
        return grid(traces, of, every)

    return [
        Panel("strength tau_eff", cells(lambda v: v.calls.tau_eff)),
        Panel("size of the correction |gamma - 1|", cells(lambda v: v.calls.correction)),
        Panel("|T| reduction within calls", cells(reduction), 0.0, better=True),
        Panel("|T| as the model made it", cells(lambda v: v.calls.before.values["|T|"])),
        Panel("gamma (red: sharper, blue: softer)", cells(lambda v: v.calls.gamma), 1.0),
        Panel("shift of T, after minus before", cells(_shift), 0.0),
    ]


def _shift(video: Video) -> np.ndarray:
    return video.calls.after.values["T"] - video.calls.before.values["T"]
