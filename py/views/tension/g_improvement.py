"""Figure G: how far each active call moved for the better, and how many did."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...measures.paired import improvement
from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import BINS, LABELS, METRICS, Look, active_calls, few_ticks, gathered, heading, page

TAIL = 0.5  # percent at each end that the histograms leave out, so that a few calls do not flatten the rest


def per_call_improvement(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: for six metrics a histogram of the improvement and its cumulative positive rate."""
    small = f"{active_calls(traces, look)}; descriptive: calls are not independent"
    with page(8.6, "G  Improvement of each active call", traces, look, small) as drawing:
        panels = drawing.subplots(4, 3, height_ratios=(1.25, 1, 1.25, 1))
        for i, name in enumerate(METRICS):
            values = gathered(traces, lambda v, name=name: improvement(v, name), look.active)
            row, column = 2 * (i // 3), i % 3
            _histogram(panels[row, column], values, name, look)
            _cumulative(panels[row + 1, column], values, look)
        for axes in panels[:, 0]:
            axes.set_ylabel("share of calls" if axes in panels[::2, 0] else "positive so far")
        for axes in panels[-1]:
            axes.set_xlabel("percentile of the improvement's size")
        return to_image(drawing)


def _histogram(axes, values: np.ndarray, name: str, look: Look) -> None:
    low, high = np.percentile(values, (TAIL, 100 - TAIL))
    counts, edges = np.histogram(values, BINS, (low, high) if high > low else None)
    colours = [look.theme.single if middle >= 0 else look.theme.treated for middle in (edges[1:] + edges[:-1]) / 2]
    axes.bar(edges[:-1], counts / len(values), np.diff(edges), align="edge", color=colours)
    axes.axvline(0, color=look.theme.line, linewidth=0.8)
    few_ticks(axes, 3, 3)
    heading(axes, LABELS[name], look, f"{np.mean(values > 0):.0%} of calls better, mean {values.mean():+.2g}")


def _cumulative(axes, values: np.ndarray, look: Look) -> None:
    """Share of positive changes among all calls up to each percentile of |change|: noise stays at one half."""
    order = np.argsort(np.abs(values), kind="stable")
    rate = np.cumsum(values[order] > 0) / np.arange(1, len(values) + 1)
    axes.plot(np.linspace(0, 100, len(rate)), rate, color=look.theme.plain, linewidth=1.2)
    axes.axhline(0.5, color=look.theme.line, linewidth=0.8, linestyle="--")
    axes.set(ylim=(0, 1), xlim=(0, 100))
    few_ticks(axes, 4, 2)
