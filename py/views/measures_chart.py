"""The measures of one or two clips as curves over frames, one panel a measure."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..measures.video import Curve
from .figure import BLUE, ORANGE, figure, to_image
from .measures_report import READING, summary

BEFORE, AFTER = BLUE, ORANGE
ROOM = 0.05  # above and below the curves: this share of their range, and at least so many points


def measures_chart(before: dict[str, Curve], after: dict[str, Curve] | None = None) -> Tensor:
    """[1, height, 1024, 3] picture, percent over frames; `after` is drawn over `before` where there are two clips."""
    clips = [(before, "before", {"color": BEFORE, "linewidth": 2.4, "markersize": 6})]
    if after:
        clips.append((after, "after", {"color": AFTER, "linewidth": 1.2, "markersize": 4}))
    with figure(height=8.2, title="Before and after" if after else "Measures of a clip") as drawing:
        panels = drawing.subplots(len(before), sharex=True)
        for axes, name in zip(panels, before, strict=True):
            for curves, label, style in clips:
                axes.plot(curves[name].values, marker=".", label=label, **style)
            axes.set_title(f"{name} ({READING[name]}): {summary(name, before, after)}")
            axes.set_ylabel("%")
            _scale(axes, np.concatenate([curves[name].values for curves, _, _ in clips]))
        drawing.align_ylabels(panels)
        panels[-1].set_xlabel("frame")
        panels[-1].set_xlim(-0.5, len(before["flicker"].values) - 0.5)
        panels[-1].locator_params(axis="x", integer=True)
        if after:
            drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        return to_image(drawing)


def _scale(axes, values: np.ndarray) -> None:
    """A percent axis that neither blows up rounding errors nor shows numbers where there is no curve."""
    known = values[np.isfinite(values)]
    if not known.size:
        axes.set_yticks([])
        return
    room = ROOM * max(1, np.ptp(known))
    axes.set_ylim(known.min() - room, known.max() + room)
    axes.ticklabel_format(axis="y", useOffset=False)
