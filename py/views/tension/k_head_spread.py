"""Figure K: do the heads of a call agree more, or less, on their tension?"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...records.trace_set import TraceSet, Video
from ..figure import to_image
from .common import BINS, Look, active_calls, deep_calls, few_ticks, gathered, heading, page, thinned

NAME = "head spread"
MOST_POINTS = 3000


def head_spread(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: standard deviation of T over heads, a point a call; then the histogram of its change."""

    def deep_active(video: Video) -> np.ndarray:
        return look.deep(video) & look.active(video)

    small = f"{deep_calls(look)}; {active_calls(traces, look)}"
    with page(3.9, "K  Agreement of heads: spread of T over the heads of a call", traces, look, small) as drawing:
        left, middle, right = drawing.subplots(1, 3)
        for axes, name, chosen in ((left, "deep calls", look.deep), (middle, "deep active calls", deep_active)):
            _scatter(axes, name, *_both(traces, chosen), look)
        baseline, treated = _both(traces, deep_active)
        change = treated - baseline
        if len(change):
            low, high = np.percentile(change, (0.5, 99.5))
            counts, edges = np.histogram(change, BINS, (low, high) if high > low else None)
            right.stairs(counts / len(change), edges, fill=True, color=look.theme.single)
        right.axvline(0, color=look.theme.line, linewidth=0.8)
        right.set(xlabel="treated - baseline", ylabel="share of calls")
        few_ticks(right)
        relative = f"{change.mean() / baseline.mean():+.2%} on average" if len(change) and baseline.any() else "no such call"
        heading(right, "Change (+ = less agreement)", look, relative)
        return to_image(drawing)


def _both(traces: TraceSet, chosen) -> tuple[np.ndarray, np.ndarray]:
    return tuple(gathered(traces, lambda v, p=p: getattr(v, p).values[NAME], chosen) for p in ("baseline", "treated"))


def _scatter(axes, name: str, baseline: np.ndarray, treated: np.ndarray, look: Look) -> None:
    top = 1.05 * max((values.max() for values in (baseline, treated) if len(values)), default=1.0) or 1.0
    axes.axline((0, 0), slope=1, color=look.theme.line, linewidth=0.8, linestyle="--")
    axes.scatter(
        thinned(baseline, MOST_POINTS), thinned(treated, MOST_POINTS), s=4, color=look.theme.single, alpha=0.4, linewidths=0
    )
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="baseline", ylabel="treated")
    few_ticks(axes)
    heading(
        axes,
        name[0].upper() + name[1:],
        look,
        f"{len(treated)} calls, {np.mean(treated > baseline):.0%} rose" if len(treated) else "none",
    )
