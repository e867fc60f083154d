"""Figure F: eigenvalues of the temporal density matrix."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import Look, deep_calls, heading, page, paired_scatter, per_video

SCATTERED = ("leading share", "H_vN")


def spectra(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: mean spectrum with one standard deviation, and two numbers of it a video."""
    with page(3.8, "F  Spectrum of the temporal density matrix rho", traces, look, deep_calls(look)) as drawing:
        left, *scatters = drawing.subplots(1, 3)
        for part, colour, shift in (("baseline", look.theme.plain, -0.08), ("treated", look.theme.treated, 0.08)):
            _spectrum(left, traces, part, colour, shift, look)
        left.set(xlabel="rank k", ylabel="share of eigenvalue k")
        left.set_ylim(bottom=0)
        if left.lines:
            left.legend(frameon=False, fontsize=8)
        left.locator_params(axis="x", integer=True, nbins=6)
        heading(left, "Mean over calls", look, "band: one standard deviation of calls")
        for axes, name in zip(scatters, SCATTERED, strict=True):
            both = (per_video(traces, lambda v, p=p, n=name: getattr(v, p).values[n], look.deep) for p in ("baseline", "treated"))
            paired_scatter(axes, *both, name, look)
        return to_image(drawing)


def _spectrum(axes, traces: TraceSet, part: str, colour: str, shift: float, look: Look) -> None:
    """Only calls of the widest window: shares of fewer frames are no comparison."""
    parts = [getattr(video, part).spectrum[look.deep(video)] for video in traces.videos]
    widest = max(one.shape[1] for one in parts)
    rows = np.concatenate([one for one in parts if one.shape[1] == widest])
    rows = rows[np.isfinite(rows).all(1)]
    if len(rows):
        mean, spread = rows.mean(0), rows.std(0)
        ranks = np.arange(1, widest + 1) + shift
        axes.fill_between(ranks, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
        axes.plot(ranks, mean, color=colour, marker="o", markersize=3, linewidth=1.2, label=f"{part}, first {mean[0]:.4f}")
