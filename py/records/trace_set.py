"""Videos with and without a technique, call by call: what the statistics and figures of the tension study are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import TemporalAttentionError
from ..core.trace import Record, Trace
from .calls import Calls, Measured, calls_of


@dataclass(frozen=True)
class Video:
    """One video: the calls of its treated run, and the same calls of its baseline, both as the kernels received them.

    Without a baseline run (`own_baseline`) each call is its own: what the model made before the edits of that very call.
    """

    name: str
    family: str
    blocks: int
    calls: Calls
    baseline: Measured
    own_baseline: bool

    @property
    def treated(self) -> Measured:
        """What the kernels of the treated run received."""
        return self.calls.after

    def active(self, threshold: float) -> np.ndarray:
        """[n] calls with |gamma - 1| above the threshold; all of them where no gamma was set anywhere (another technique)."""
        known = np.isfinite(self.calls.correction)
        return np.nan_to_num(self.calls.correction) > threshold if known.any() else np.ones(len(known), bool)

    def deep(self, depth: float) -> np.ndarray:
        """[n] calls in blocks at this depth or deeper."""
        return self.calls.depth >= depth


@dataclass(frozen=True)
class TraceSet:
    """Videos of one network; each is one unit of every test."""

    videos: tuple[Video, ...]

    def __post_init__(self):
        kinds = {(v.family, v.blocks, v.own_baseline) for v in self.videos}
        if len(kinds) > 1:
            said = "; ".join(sorted(f"{f}, {b} blocks, {'without' if own else 'with'} a baseline" for f, b, own in kinds))
            raise TemporalAttentionError(
                "videos of one network, all with a baseline run or all without", said, "Make a separate set for each."
            )

    def __add__(self, other: TraceSet) -> TraceSet:
        """Both sets as one; a name that is there already gets a number."""
        taken = {video.name for video in self.videos}
        added = []
        for video in other.videos:
            name, count = video.name, 2
            while name in taken:
                name, count = f"{video.name} ({count})", count + 1
            taken.add(name)
            added.append(replace(video, name=name))
        return TraceSet(self.videos + tuple(added))

    @property
    def own_baseline(self) -> bool:
        """Is each call compared with itself before the edits, not with a run of its own?"""
        return self.videos[0].own_baseline

    @property
    def has_gamma(self) -> bool:
        """Did STH set a gamma in any call?"""
        return any(np.isfinite(video.calls.gamma).any() for video in self.videos)


def trace_set(treated: Trace, baseline: Trace | None = None, name: str = "video", branch=None) -> TraceSet:
    """One video for each sample of the batch. Raises TemporalAttentionError where the two runs have no calls in common."""
    samples = _samples(treated, branch)
    plain = None if baseline is None else _samples(baseline, branch)
    videos = []
    for i, records in samples.items():
        title = name if len(samples) == 1 else f"{name} {i}"
        videos.append(_video(title, treated, records, baseline, plain and plain.get(i, [])))
    return TraceSet(tuple(videos))


def _samples(trace: Trace, branch) -> dict[int, list[Record]]:
    """sample -> its calls in which frames attend to frames."""
    found: dict[int, list[Record]] = {}
    for record in trace.holding("h_row").select(branch):
        found.setdefault(record.sample, []).append(record)
    if not found:
        raise TemporalAttentionError(
            "a trace with frame attention in it", "none in the chosen branch", "Record it with Trace Attention."
        )
    return dict(sorted(found.items()))


def _video(name: str, trace: Trace, records: list[Record], baseline: Trace | None, plain: list[Record] | None) -> Video:
    calls = calls_of(records)
    if baseline is None:
        return Video(name, trace.family, trace.blocks, calls, calls.before, True)
    other = calls_of(plain)
    places = {key: i for i, key in enumerate(other.keys)}
    shared = np.array([i for i, key in enumerate(calls.keys) if key in places], int)
    if not len(shared) or (trace.family, trace.blocks) != (baseline.family, baseline.blocks):
        raise TemporalAttentionError(
            "a treated and a baseline run of the same network with the same steps, samples and size",
            f"{_extent(trace, calls)}, and {_extent(baseline, other)}",
            "Record both with the same sampler settings and seed.",
        )
    calls = calls.rows(shared)
    return Video(name, trace.family, trace.blocks, calls, other.after.rows(_places(calls, places)), False)


def _places(calls: Calls, places: dict[tuple, int]) -> np.ndarray:
    return np.array([places[key] for key in calls.keys], int)


def _extent(trace: Trace, calls: Calls) -> str:
    steps = len(set(calls.step.tolist()))
    return f"{trace.family}, {trace.blocks} blocks, {steps} steps, {len(calls.step)} calls per video"


def joined(sets: Iterable[TraceSet]) -> TraceSet:
    """All sets as one."""
    first, *others = sets
    return sum(others, first)
