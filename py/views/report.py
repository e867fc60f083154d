"""A trace in words: what was seen, how much was active, where tension is worst, what was skipped and why."""

from __future__ import annotations

import numpy as np

from ..core.events import Branch
from ..core.trace import Record, Trace
from ..records import correction
from .quantities import h_row, h_vn, tension

WORST = 5


def trace_report(trace: Trace, active_threshold: float, note: str = "") -> str:
    """Plain text, one fact a line.

    Args:
        active_threshold: a call is active where |gamma - 1| exceeds it (0.03 in the paper, 0.036 in its M.2).
    """
    lines = [f"{trace.family}, {trace.blocks} blocks{note}", *trace.report]
    if not trace.records:
        return "\n".join([*lines, "no attention call was recorded"])
    for branch in Branch:
        records = trace.select(branch)
        if records:
            lines += ["", f"{branch.value}: {len(records)} calls", *_facts(records, active_threshold)]
    return "\n".join([*lines, "", *_worst(trace.records)])


def _facts(records: list[Record], threshold: float) -> list[str]:
    before = np.array([tension(r, False) for r in records])
    facts = [
        f"  tension T: mean {before.mean():+.3f}, from {before.min():+.3f} to {before.max():+.3f}; "
        f"over-mixed (T > 0) {np.mean(before > 0):.0%} of calls",
        f"  row entropy H_row {np.mean([h_row(r, False).mean() for r in records]):.3f}, "
        f"von Neumann entropy H_vN {np.mean([h_vn(r, False).mean() for r in records]):.3f}",
    ]
    return [*facts, *_corrections(records, threshold), *_output_gains(records)]


def _corrections(records: list[Record], threshold: float) -> list[str]:
    sizes = np.array([correction.size(r) for r in records])
    active = [r for r, size in zip(records, sizes, strict=True) if size > threshold]
    if np.isnan(sizes).all():
        return []
    if not active:
        return [f"  no call was active (|gamma - 1| > {threshold:g}): raise tau or widen the window to see an effect"]
    before, after = (np.array([_size_of_tension(r, late) for r in active]) for late in (False, True))
    what = "|T| of a head" if any(map(correction.by_head, active)) else "|T|"
    return [
        f"  active calls (|gamma - 1| > {threshold:g}): {len(active)} of {len(records)} ({len(active) / len(records):.0%}); "
        f"{what} fell on {np.mean(after < before):.0%} of them, from {before.mean():.3f} to {after.mean():.3f}"
    ]


def _size_of_tension(record: Record, after: bool) -> float:
    """|T| of what the gamma was set for: of every head, averaged, or of the call."""
    heads = correction.tension_by_head(record, after)
    return float(np.abs(heads if correction.by_head(record) else heads.mean()).mean())


def _output_gains(records: list[Record]) -> list[str]:
    gains = [r.mean("gain") for r in records if "gain" in r.values]
    if not gains:
        return []
    return [
        f"  output gain on {len(gains)} of {len(records)} calls: mean {np.mean(gains):.3f}, at most {max(gains):.3f}; "
        "it leaves attention and so T as they are"
    ]


def _worst(records: list[Record]) -> list[str]:
    worst = sorted(records, key=lambda r: -abs(tension(r, False)))[:WORST]
    return ["largest |T|:"] + [
        f"  block {r.site.block}, step {r.step.index} ({r.branch.value}, sample {r.sample}): T {tension(r, False):+.3f} "
        f"(H_row {h_row(r, False).mean():.3f}, H_vN {h_vn(r, False).mean():.3f}), after {tension(r, True):+.3f}"
        for r in worst
    ]
