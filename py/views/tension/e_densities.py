"""Figure E: distributions with and without the technique, over all calls, deep ones, and deep active ones."""

from __future__ import annotations

import numpy as np
from scipy.stats import gaussian_kde
from torch import Tensor

from ...records.trace_set import TraceSet, Video
from ..figure import to_image
from .common import LABELS, Look, every, few_ticks, gathered, heading, page, thinned

ROWS = ("T", "H_vN", "H_row")
MOST_CALLS, POINTS = 3000, 160
TAIL = 3  # bandwidths beyond the outermost calls


def densities(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: kernel densities, a row a metric, a column a filter; dashed lines are means."""

    def deep_active(video: Video) -> np.ndarray:
        return look.deep(video) & look.active(video)

    active = f"deep and |gamma - 1| > {look.threshold:g}" if traces.has_gamma else "deep (no gamma was set)"
    filters = (("all calls", every), (f"depth {look.depth:.0%} and deeper", look.deep), (active, deep_active))
    with page(7.2, "E  Distributions over calls: where the effect hides", traces, look, "dashed: means") as drawing:
        for line, name in zip(drawing.subplots(3, 3, sharex="row"), ROWS, strict=True):
            for axes, (title, chosen) in zip(line, filters, strict=True):
                small = title if name == ROWS[0] else ""
                _curves(axes, name, _both(traces, name, chosen), look, small)
            line[0].set_ylabel("density")
        handles = drawing.axes[0].get_legend_handles_labels()
        if handles[0]:
            drawing.legend(*handles, loc="outside upper right", ncols=2, frameon=False)
        return to_image(drawing)


def _both(traces: TraceSet, name: str, chosen) -> list[np.ndarray]:
    return [gathered(traces, lambda v, part=part: getattr(v, part).values[name], chosen) for part in ("baseline", "treated")]


def _curves(axes, name: str, both: list[np.ndarray], look: Look, filtered: str) -> None:
    styles = (("baseline", look.theme.plain), ("treated", look.theme.treated))
    for values, (label, colour) in zip(both, styles, strict=True):
        if len(values) > 1 and np.ptp(values) > 0:
            estimate = gaussian_kde(thinned(np.sort(values), MOST_CALLS))
            tail = TAIL * np.sqrt(estimate.covariance.item())
            x = np.linspace(values.min() - tail, values.max() + tail, POINTS)
            y = estimate(x)
            axes.fill_between(x, y, color=colour, alpha=0.25, linewidth=0)
            axes.plot(x, y, color=colour, linewidth=1.2, label=label)
            axes.axvline(values.mean(), color=colour, linewidth=1, linestyle="--")
    few_ticks(axes)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(LABELS[name])
    means = " to ".join(f"{values.mean():.3f}" for values in both) if all(map(len, both)) else "no such call"
    heading(axes, filtered, look, f"{len(both[1])} calls, mean {means}") if filtered else heading(axes, f"mean {means}", look)
