"""A trace in words: what was seen, how much was active, where tension is worst, what was skipped and why."""

from __future__ import annotations

import math

import numpy as np

from ..core.events import Branch
from ..core.trace import Record, Trace
from .quantities import gamma, h_row, h_vn, tension

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
    gammas = np.array([gamma(r) for r in records])
    active = np.abs(gammas - 1) > threshold
    if active.any():
        after = np.array([tension(r, True) for r in records])
        calmer = np.abs(after[active]) < np.abs(before[active])
        facts.append(
            f"  active calls (|gamma - 1| > {threshold:g}): {active.sum()} of {len(records)} ({active.mean():.0%}); "
            f"|T| fell on {calmer.mean():.0%} of them, "
            f"from {np.abs(before[active]).mean():.3f} to {np.abs(after[active]).mean():.3f}"
        )
    elif not all(map(math.isnan, gammas)):
        facts.append(f"  no call was active (|gamma - 1| > {threshold:g}): raise tau or widen the window to see an effect")
    return facts


def _worst(records: list[Record]) -> list[str]:
    worst = sorted(records, key=lambda r: -abs(tension(r, False)))[:WORST]
    return ["largest |T|:"] + [
        f"  block {r.site.block}, step {r.step.index} ({r.branch.value}, sample {r.sample}): T {tension(r, False):+.3f} "
        f"(H_row {h_row(r, False).mean():.3f}, H_vN {h_vn(r, False).mean():.3f}), after {tension(r, True):+.3f}"
        for r in worst
    ]
