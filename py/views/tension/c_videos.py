"""Figure C: six metrics of each video, with and without the technique."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...measures.paired import reduction
from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import Look, deep_calls, few_ticks, heading, page, paired_scatter, per_video, said

SCATTERED = ("|T|", "self-retention", "effective rank", "Gini", "cross-frame mass")


def per_video_tests(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: five scatters of videos over the line of no change, and the reduction of each video."""
    with page(6.6, "C  Each video with and without the technique", traces, look, deep_calls(look)) as drawing:
        *scatters, last = drawing.subplots(2, 3).flat
        for axes, name in zip(scatters, SCATTERED, strict=True):
            baseline, treated = (
                per_video(traces, lambda v, part=part, name=name: getattr(v, part).values[name], look.deep)
                for part in ("baseline", "treated")
            )
            paired_scatter(axes, baseline, treated, name, look)
        _reductions(last, per_video(traces, reduction, look.deep), look)
        return to_image(drawing)


def _reductions(axes, values: np.ndarray, look: Look) -> None:
    """The mean reduction of |T| within calls, a bar a video, in rising order."""
    axes.bar(np.arange(len(values)), np.sort(values), color=look.theme.single)
    axes.axhline(0, color=look.theme.line, linewidth=0.8)
    axes.set(xlabel="videos, in rising order", ylabel="mean reduction", xticks=[])
    few_ticks(axes)
    heading(axes, "|T| reduction within calls", look, said(values))
