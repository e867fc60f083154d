"""Figure B: does gamma point where T says? Sharper above 0, softer below."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import Look, active_calls, few_ticks, gathered, heading, histogram, need_gamma, page, thinned

MOST_POINTS = 3000
SIDES = ("T < 0: kept apart", "T > 0: over-mixed")


def direction(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: gamma against T, gamma by the sign of T, |T| before and after on either side."""
    need_gamma(traces)
    t, after, gamma = (
        gathered(traces, of, look.active)
        for of in (lambda v: v.calls.before.values["T"], lambda v: v.calls.after.values["|T|"], lambda v: v.calls.gamma)
    )
    sides, colours = (t < 0, t > 0), (look.theme.plain, look.theme.treated)
    small = active_calls(traces, look)
    with page(3.6, "B  Direction of the correction", traces, look, small, False) as drawing:
        left, middle, right = drawing.subplots(1, 3)
        for side, colour in zip(sides, colours, strict=True):
            points = thinned(np.flatnonzero(side), MOST_POINTS // 2)
            left.scatter(t[points], gamma[points], s=4, color=colour, alpha=0.5, linewidths=0)
        left.axvline(0, color=look.theme.line, linewidth=0.8)
        left.axhline(1, color=look.theme.line, linewidth=0.8)
        left.set(xlabel="T as the model made it", ylabel="gamma")
        right_side = np.nanmean(gathered(traces, lambda v: v.calls.directed, look.active))
        heading(left, "gamma against T", look, f"{right_side:.1%} on the side of 1 that T asks for")
        present = [
            (f"{label}, {side.sum()}", gamma[side], colour) for label, side, colour in zip(SIDES, sides, colours, strict=True)
        ]
        histogram(middle, [part for part in present if len(part[1])])
        middle.axvline(1, color=look.theme.line, linewidth=0.8)
        middle.set_xlabel("gamma")
        middle.legend(frameon=False, fontsize=7)
        middle.set_ylim(top=middle.get_ylim()[1] * 1.3)
        heading(middle, "gamma by the sign of T", look, "below 1: softer, above 1: sharper")
        _before_and_after(right, np.abs(t), after, sides, look)
        for axes in (left, middle):
            few_ticks(axes)
        return to_image(drawing)


def _before_and_after(axes, before: np.ndarray, after: np.ndarray, sides, look: Look) -> None:
    for values, shift, name, colour in (
        (before, -0.2, "before", look.theme.plain),
        (after, 0.2, "after", look.theme.treated),
    ):
        heights = [values[side].mean() if side.any() else 0.0 for side in sides]
        axes.bar(np.arange(len(sides)) + shift, heights, 0.36, color=colour, label=name)
    axes.set_xticks((0, 1), [label.replace(": ", "\n") for label in SIDES])
    axes.set(ylabel="mean |T|", xlim=(-0.6, 1.6))
    axes.set_ylim(top=axes.get_ylim()[1] * 1.25)
    axes.legend(frameon=False, fontsize=8, ncols=2)
    heading(axes, "|T| by direction", look, "means over active calls")
