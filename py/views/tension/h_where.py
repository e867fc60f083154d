"""Figure H: where in layer x step space active calls improve."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...measures.paired import improvement
from ...records.trace_set import TraceSet
from ..figure import to_image
from .cells import Panel, draw_cells
from .common import LABELS, Look, active_calls, every, grid, page

SHAPE = (2, 3)
METRICS = ("|T|", "self-retention", "effective rank", "H_vN")


def where_improved(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: improvement of four metrics, then tau_eff and the share of active calls."""
    small = active_calls(traces, look)
    with page(6.4, "H  Improvement of active calls: block x step", traces, look, small) as drawing:
        for i, (axes, panel) in enumerate(
            zip(drawing.subplots(*SHAPE, sharex=True, sharey=True).flat, _panels(traces, look), strict=True)
        ):
            draw_cells(drawing, axes, panel, look, (i % SHAPE[1] == 0, i >= SHAPE[1]))
        return to_image(drawing)


def _panels(traces: TraceSet, look: Look) -> list[Panel]:
    improved = [
        Panel(f"{LABELS[name]}, improvement", grid(traces, lambda v, name=name: improvement(v, name), look.active), 0.0, True)
        for name in METRICS
    ]
    return [
        *improved,
        Panel("strength tau_eff", grid(traces, lambda v: v.calls.tau_eff, every)),
        Panel("share of active calls", grid(traces, lambda v: look.active(v).astype(np.float64), every)),
    ]
