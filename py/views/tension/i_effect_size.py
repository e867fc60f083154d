"""Figure I: does a call that needs it more improve more? Effect size against the tension of the baseline."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...measures.paired import cohens_d, improvement
from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import LABELS, METRICS, Look, active_calls, few_ticks, gathered, heading, page

WIDTH, FEWEST_CALLS = 0.1, 10
NORMAL_95 = 1.96


def effect_sizes(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: Cohen's d of the improvement in each tenth of |T|, with its 95 % interval."""
    need = gathered(traces, lambda v: v.calls.before.values["|T|"], look.active)
    small = f"{active_calls(traces, look)}; bins of {WIDTH:g}, {FEWEST_CALLS} calls or more; descriptive"
    with page(6.0, "I  Effect size against the tension before the edits", traces, look, small) as drawing:
        panels = drawing.subplots(2, 3, sharex=True)
        for axes, name in zip(panels.flat, METRICS, strict=True):
            _errors(axes, need, gathered(traces, lambda v, name=name: improvement(v, name), look.active), look)
            axes.axhline(0, color=look.theme.line, linewidth=0.8)
            heading(axes, LABELS[name], look)
            few_ticks(axes)
        for axes in panels[:, 0]:
            axes.set_ylabel("Cohen's d, + = improved")
        for axes in panels[-1]:
            axes.set_xlabel("|T| before the edits")
        return to_image(drawing)


def _errors(axes, need: np.ndarray, values: np.ndarray, look: Look) -> None:
    bins = np.floor(need / WIDTH).astype(int)
    points = []
    for number in np.unique(bins):
        found = values[bins == number]
        d = cohens_d(found)
        if len(found) >= FEWEST_CALLS and np.isfinite(d):
            points.append(((number + 0.5) * WIDTH, d, NORMAL_95 * np.sqrt(1 / len(found) + d * d / (2 * len(found)))))
    if points:
        x, y, error = zip(*points, strict=True)
        axes.errorbar(x, y, error, color=look.theme.single, marker="o", markersize=4, linewidth=1.2, capsize=2)
