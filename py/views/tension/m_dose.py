"""Figure M: does a stronger correction improve more? Improvement in quantiles of |gamma - 1|."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr
from torch import Tensor

from ...measures.paired import improvement
from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import LABELS, METRICS, Look, active_calls, gathered, heading, need_gamma, page

BINS = 8


def dose(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: mean improvement and its standard error in 8 quantile bins, Spearman's rho of the bins."""
    need_gamma(traces)
    strength = gathered(traces, lambda v: v.calls.correction, look.active)
    bins = [part for part in np.array_split(np.argsort(strength, kind="stable"), BINS) if len(part)]
    small = f"{active_calls(traces, look)}; {BINS} quantile bins, lines: standard error; descriptive"
    with page(6.2, "M  Improvement against the strength of the correction", traces, look, small) as drawing:
        panels = drawing.subplots(2, 3, sharex=True)
        for axes, name in zip(panels.flat, METRICS, strict=True):
            values = gathered(traces, lambda v, name=name: improvement(v, name), look.active)
            _bars(axes, [values[part] for part in bins], name, look)
        for axes in panels[:, 0]:
            axes.set_ylabel("mean improvement")
        labels = [f"{100 * strength[part].mean():.2g}" for part in bins]
        for axes in panels[-1]:
            axes.set_xticks(range(len(bins)), labels)
            axes.set_xlabel("mean |gamma - 1| of the bin, %")
        return to_image(drawing)


def _bars(axes, parts: list[np.ndarray], name: str, look: Look) -> None:
    means = np.array([part.mean() for part in parts])
    errors = [part.std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else 0.0 for part in parts]
    colours = np.where(means >= 0, look.theme.single, look.theme.treated)
    axes.bar(range(len(parts)), means, yerr=errors, color=colours, ecolor=look.theme.line, capsize=2)
    axes.axhline(0, color=look.theme.line, linewidth=0.8)
    axes.locator_params(axis="y", nbins=4)
    varied = len(parts) > 2 and np.ptp(means) > 0
    heading(
        axes,
        LABELS[name],
        look,
        f"Spearman's rho of the bins {spearmanr(np.arange(len(parts)), means).statistic:+.2f}" if varied else "",
    )
