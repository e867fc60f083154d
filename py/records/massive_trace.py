"""Reading the trace of a massive-activation recorder: its profile at an early step, and the records behind it."""

from __future__ import annotations

import numpy as np

from ..core.errors import TemporalAttentionError
from ..core.events import Branch
from ..core.trace import Record, Trace
from .profile import MassiveProfile

EARLY = 0.1  # of the steps: the paper's statistics are from step 5 of 50


def chosen_steps(trace: Trace, steps: frozenset[int] | None) -> frozenset[int]:
    """The steps to look at: those asked for, else the recorded one that is nearest to a tenth into the run.

    Raises TemporalAttentionError where none of them was recorded.
    """
    recorded = {record.step.index: record.step.total for record in trace.records}
    if steps is None and recorded:
        wanted = round(EARLY * max(recorded.values()))
        return frozenset({min(recorded, key=lambda index: (abs(index - wanted), index))})
    if not recorded or not steps & set(recorded):
        has = f"steps {min(recorded)}-{max(recorded)}" if recorded else "no steps at all; widen the recorder's window"
        raise TemporalAttentionError("recorded activations in the chosen steps", "none", f"The run has {has}.")
    return steps & frozenset(recorded)


def records_of(trace: Trace, steps: frozenset[int] | None, branch: Branch | None) -> list[Record]:
    """The records of the chosen steps. Raises TemporalAttentionError where there are none in this branch."""
    records = trace.select(branch, chosen_steps(trace, steps))
    if not records:
        raise TemporalAttentionError("recorded activations in the chosen branch", "none", "Choose both branches.")
    return records


def profile_of(trace: Trace, steps: frozenset[int] | None, branch: Branch | None) -> MassiveProfile:
    """The peaks of the chosen steps and branch (None: an early step, both branches), averaged over samples and steps."""
    records = records_of(trace, steps, branch)
    by_block: dict[int, list[np.ndarray]] = {}
    for record in records:
        by_block.setdefault(record.site.block, []).append(record.values["peaks"])
    peaks = {block: np.mean(rows, axis=0, dtype=np.float64).astype(np.float32) for block, rows in sorted(by_block.items())}
    return MassiveProfile(trace.family, trace.blocks, peaks, max(map(len, by_block.values())), when(records))


def when(records: list[Record]) -> str:
    """The steps of these records in words."""
    indices = sorted({record.step.index for record in records})
    several = f"steps {indices[0]}-{indices[-1]}" if len(indices) > 1 else f"step {indices[0]}"
    return f"{several} of {records[0].step.total}"
