"""Figure J: does every video benefit? Effect size of each, ranked by the tension of its baseline."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...measures.paired import cohens_d, improvement
from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import LABELS, METRICS, Look, deep_calls, few_ticks, heading, page, per_video


def ranked_videos(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: a bar a video and metric, Cohen's d over its deep calls."""
    order = np.argsort(per_video(traces, lambda v: v.baseline.values["|T|"], look.deep), kind="stable")
    with page(6.0, "J  Effect size of each video, ranked by the |T| of its baseline", traces, look, deep_calls(look)) as drawing:
        panels = drawing.subplots(2, 3, sharex=True)
        for axes, name in zip(panels.flat, METRICS, strict=True):
            sizes = np.array([cohens_d(improvement(traces.videos[i], name)[look.deep(traces.videos[i])]) for i in order])
            colours = np.where(sizes >= 0, look.theme.single, look.theme.treated)
            axes.bar(np.arange(len(sizes)), np.nan_to_num(sizes), color=colours)
            axes.axhline(0, color=look.theme.line, linewidth=0.8)
            few_ticks(axes)
            known = sizes[np.isfinite(sizes)]
            mean = f", mean {known.mean():+.3f}" if len(known) else ""
            heading(axes, LABELS[name], look, f"{(known > 0).sum()} of {len(sizes)} positive{mean}")
        for axes in panels[:, 0]:
            axes.set_ylabel("Cohen's d, + = improved")
        for axes in panels[-1]:
            axes.set(xlabel="videos: low to high |T|", xticks=[])
        return to_image(drawing)
