"""Figure L: is attention moved towards the future or the past?"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...records.trace_set import TraceSet
from ..figure import to_image
from .common import Look, deep_calls, few_ticks, gathered, heading, histogram, page, paired_scatter, per_video

NAME = "balance"


def balance(traces: TraceSet, look: Look) -> Tensor:
    """[1, height, 1024, 3] picture: mean b of both conditions, its histogram over calls, its scatter over videos."""
    videos, calls = (
        [of(traces, lambda v, p=p: getattr(v, p).values[NAME], look.deep) for p in ("baseline", "treated")]
        for of in (per_video, gathered)
    )
    colours = (look.theme.plain, look.theme.treated)
    with page(
        3.8, "L  Balance of future and past", traces, look, f"{deep_calls(look)}; b > 0: more mass on later frames"
    ) as drawing:
        left, middle, right = drawing.subplots(1, 3)
        known = [values[np.isfinite(values)] for values in videos]
        means, spreads = ([of(values) if len(values) else 0.0 for values in known] for of in (np.mean, np.std))
        left.bar((0, 1), means, yerr=spreads, color=colours, ecolor=look.theme.line, capsize=4)
        left.axhline(0, color=look.theme.line, linewidth=0.8)
        left.set_xticks((0, 1), ("baseline", "treated"))
        left.set_ylabel("mean b")
        heading(left, "Mean over videos", look, "line: one standard deviation")
        histogram(middle, list(zip(("baseline", "treated"), calls, colours, strict=True)))
        middle.set_xlabel("b of a call")
        middle.legend(frameon=False, fontsize=8)
        heading(middle, "Over calls", look, "shares of each run's calls")
        few_ticks(middle)
        paired_scatter(right, *videos, NAME, look)
        return to_image(drawing)
