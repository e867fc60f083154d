"""The statistics of the tension study: one row a metric, every test over videos.

Temporal State Transport in Video Generation (Tang et al.), Table 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..records.trace_set import TraceSet, Video
from .paired import Comparison, better_sense, compared, dose_response, improvement, reduction

ACTIVE, DEPTH = 0.03, 0.5
DEEP_METRICS = (
    ("C", "|T|"),
    ("C", "self-retention"),
    ("C", "effective rank"),
    ("C", "Gini"),
    ("C", "cross-frame mass"),
    ("F", "leading share"),
    ("F", "H_vN"),
    ("E", "H_row"),
    ("K", "head spread"),
    ("L", "balance"),
)


@dataclass(frozen=True)
class Row:
    """One line of the table: the figure of the appendix it belongs to, the metric, what counts as improved, and the test."""

    figure: str
    metric: str
    improved_means: str
    test: Comparison


@dataclass(frozen=True)
class Statistics:
    """The rows, and the calls behind them: all, active, and which share of the gammas of active ones is where T asks."""

    rows: tuple[Row, ...]
    videos: int
    calls: int
    active: int
    directed: float
    own_baseline: bool


def statistics(traces: TraceSet, threshold: float = ACTIVE, depth: float = DEPTH) -> Statistics:
    """Table 2 for a set.

    Args:
        threshold: a call is active where |gamma - 1| exceeds it.
        depth: metrics of figures C, E, F, K and L are means over the blocks from this depth on.
    """
    deep = [
        Row(figure, name, better_sense(name), _over(traces, lambda v, name=name: improvement(v, name)[v.deep(depth)]))
        for figure, name in DEEP_METRICS
    ]
    rows = (
        Row("A", "|T| reduction within active calls", "above 0", _over(traces, lambda v: reduction(v)[v.active(threshold)])),
        *deep[:5],
        Row("C", "|T| reduction within calls", "above 0", _over(traces, lambda v: reduction(v)[v.deep(depth)])),
        *deep[5:],
        Row("M", "rank corr. of |T| improvement and |gamma - 1|", "above 0", _dose(traces, threshold)),
    )
    active = [v.active(threshold) & np.isfinite(v.calls.gamma) for v in traces.videos]
    directed = np.concatenate([v.calls.directed[a] for v, a in zip(traces.videos, active, strict=True)])
    return Statistics(
        rows,
        len(traces.videos),
        sum(len(a) for a in active),
        int(sum(a.sum() for a in active)),
        float(directed.mean()) if len(directed) else float("nan"),
        traces.own_baseline,
    )


def _over(traces: TraceSet, of: Callable[[Video], np.ndarray]) -> Comparison:
    """Tests the mean over calls of each video."""
    values = [of(video) for video in traces.videos]
    return compared([value.mean() if len(value) else np.nan for value in values])


def _dose(traces: TraceSet, threshold: float) -> Comparison:
    return compared([dose_response(video, threshold) for video in traces.videos])
