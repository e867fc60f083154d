"""Figure A: |T| before and after within each active call."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...measures.paired import reduction
from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import Look, active_calls, few_ticks, gathered, heading, histogram, page

DECILES = 10


def tension_reduction(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: histograms of |T|, histogram of its reduction, and its mean in each tenth of the depth."""
    before, after = (
        gathered(traces, lambda v, part=part: getattr(v.calls, part).values["|T|"], look.active) for part in ("before", "after")
    )
    fell = gathered(traces, reduction, look.active)
    depth = gathered(traces, lambda v: v.calls.depth, look.active)
    small = active_calls(traces, look)
    with page(3.6, "A  Tension within each call, before and after the edits", traces, look, small, False) as drawing:
        left, middle, right = drawing.subplots(1, 3)
        histogram(left, [("before", before, look.theme.plain), ("after", after, look.theme.treated)])
        left.legend(frameon=False, fontsize=8)
        left.set_xlabel("|T|")
        heading(left, "|T| of active calls", look, f"mean {before.mean():.3f} before, {after.mean():.3f} after")
        histogram(middle, [("reduction", fell, look.theme.single)])
        middle.axvline(0, color=look.theme.line, linewidth=0.8)
        middle.set_xlabel("|T| before - |T| after")
        heading(middle, "Reduction of |T|", look, f"{np.mean(fell >= 0):.0%} of calls did not rise")
        _by_depth(right, depth, fell, look)
        for axes in (left, middle):
            few_ticks(axes)
        return to_image(drawing)


def _by_depth(axes, depth: np.ndarray, fell: np.ndarray, look: Look) -> None:
    decile = np.minimum((depth * DECILES).astype(int), DECILES - 1)
    means = [fell[decile == i].mean() if (decile == i).any() else np.nan for i in range(DECILES)]
    axes.bar(np.arange(DECILES) / DECILES + 0.5 / DECILES, means, width=0.8 / DECILES, color=look.theme.single)
    axes.axhline(0, color=look.theme.line, linewidth=0.8)
    axes.set(xlim=(0, 1), xlabel="depth in the network", ylabel="mean reduction")
    heading(axes, "By tenth of the depth", look, "empty: no block, or no active call")
