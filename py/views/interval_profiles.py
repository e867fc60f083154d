"""What the chart over intervals draws: profiles of a trace's frame attention, and of a video's similarity."""

from __future__ import annotations

import numpy as np

from ..core.events import Branch
from ..core.similarity import FrameSimilarity
from ..core.trace import Record, Trace
from ..measures.intervals import IntervalProfile, interval_profile
from .quantities import chosen_records, frames


def attention_profile(
    trace: Trace, blocks: set[int] | None, steps: set[int] | None, branch: Branch | None, after: bool
) -> IntervalProfile:
    """Share of attention against the interval in latent frames, over all records of a branch, some steps and some blocks.

    Raises TemporalAttentionError where there are none.
    """
    return _profile(chosen_records(trace, branch, steps, blocks), after)


def profiles_by_block(
    trace: Trace, blocks: set[int] | None, steps: set[int] | None, branch: Branch | None, after: bool
) -> dict[int, IntervalProfile]:
    """block -> its own profile. Raises as `attention_profile`."""
    found: dict[int, list[Record]] = {}
    for record in chosen_records(trace, branch, steps, blocks):
        found.setdefault(record.site.block, []).append(record)
    return {block: _profile(records, after) for block, records in sorted(found.items())}


def similarity_profile(found: FrameSimilarity) -> IntervalProfile:
    """Similarity against the interval in frames of the video."""
    count = len(found.matrix)
    return interval_profile([found.matrix.numpy()], [np.round(np.arange(count) * found.spacing)])


def _profile(records: list[Record], after: bool) -> IntervalProfile:
    matrices = [frames(record, after) for record in records]
    return interval_profile(matrices, [r.frames or range(len(m)) for r, m in zip(records, matrices, strict=True)])
