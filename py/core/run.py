"""Everything that changes during one sampling run; it is made when the sampler starts and gone when it ends."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from .activity import Activity, counted
from .events import CallNotes, Forward, Site, Step
from .intervention import Intervention, Observer, Prompting
from .latent import Iteration
from .pipeline import Pipeline, active
from .trace import Record, Trace, to_records

OnRecords = Callable[[Observer, list[Record]], None]

log = logging.getLogger("temporal_attention")


class Caller(Protocol):
    """Whose network call it is: a sampling run, or one evaluation of a gradient."""

    @abstractmethod
    def open(self, forward: Forward) -> Pipeline | None:
        """The pipeline for one network call, or None where nothing acts in it."""

    def entered(self, pipeline: Pipeline, forward: Forward, block: int) -> None:
        """Takes note that a block of the network runs; a cache may answer a network call without any."""

    @abstractmethod
    def skip(self, reason: str) -> None:
        """Takes note of a call that is passed through unchanged, and why."""

    @abstractmethod
    def remark(self, text: str) -> None:
        """Takes note of something that is neither an error nor a call passed through."""


class Run(Caller):
    """One sampling run. Its network calls may come from several threads (the host's multi-GPU).

    Args:
        chain: the interventions in stacking order.
        family: the model family's name, for reports.
        blocks: number of blocks of the network.
        on_records: called at the end of each step with an observer and what it recorded there.
    """

    def __init__(self, chain: tuple[Intervention, ...], family: str, blocks: int, on_records: OnRecords | None = None):
        self.chain = _without_rivals(_without_twins(i for i in chain if i.acts()))
        self.family = family
        self.activity = {id(i): Activity() for i in self.chain}
        self.traces = {i: Trace(family, blocks) for i in self.chain if isinstance(i, Observer)}
        self.skipped: Counter[str] = Counter()
        self.remarks: Counter[str] = Counter()
        self.memory: dict = {}
        self._on_records = on_records
        self.iterations: list[Iteration] = []
        self._lock = threading.RLock()
        self._step: Step | None = None
        self._pending: dict[Observer, list[CallNotes]] = {observer: [] for observer in self.traces}

    def reach(self, step: Step) -> bool:
        """Begins this step unless the run is in it, and says whether it is in anybody's window. Raises as `open`."""
        with self._lock:
            if self._step != step:
                self._end_step()
                self._step = step
        return any(i.window.contains(step) for i in self.chain)

    def open(self, forward: Forward) -> Pipeline | None:
        """The pipeline for one network call, or None where nothing acts in it.

        Raises TemporalAttentionError once a step is over in which an intervention should have acted and found no site.
        """
        with self._lock:
            self.reach(forward.step)
            if forward.grid.frames < 2:
                self.skip("only one latent frame: there is no time axis to act on")
                return None
            chain = active(self.chain, forward)
            for i in chain:
                self.activity[id(i)].forwards += 1
        return Pipeline(chain, self._count, self._record) if chain else None

    def entered(self, pipeline: Pipeline, forward: Forward, block: int) -> None:
        """Counts a block that runs for all that act in this network call."""
        with self._lock:
            for i in pipeline.chain:
                self.activity[id(i)].enter(i, forward, block)

    def skip(self, reason: str) -> None:
        """Counts a call that is passed through, and says why the first time."""
        with self._lock:
            if not self.skipped[reason]:
                log.warning("Temporal Attention passes calls through unchanged: %s.", reason)
            self.skipped[reason] += 1

    def remark(self, text: str) -> None:
        """Counts something for the report that is neither an error nor a call passed through."""
        with self._lock:
            self.remarks[text] += 1

    def close(self) -> None:
        """Ends a run that came to its end: completes the traces and logs what each intervention did. Raises as `open`."""
        self._end_step()
        steps = self._step.total if self._step else 0
        report = (
            *(self.activity[id(i)].report(i, steps, bool(self.skipped)) for i in self.chain),
            *(f"passed through {counted(n)}: {reason}" for reason, n in self.skipped.items()),
            *(f"{'once' if n == 1 else f'{n} times'} {text}" for text, n in self.remarks.items()),
        )
        for line in report:
            log.info("Temporal Attention: %s", line)
        for observer, trace in self.traces.items():
            trace.report = report
            trace.iterations = tuple(filter(observer.keeps, self.iterations))

    def _count(self, i: Intervention, site: Site, step: Step, acted: bool) -> None:
        with self._lock:
            self.activity[id(i)].count(site, step, acted)

    def _record(self, observer: Observer, call: CallNotes) -> None:
        with self._lock:
            self._pending[observer].append(call)

    def _end_step(self) -> None:
        for observer, calls in self._pending.items():
            records = to_records(observer.digest(calls))
            self.traces[observer].records += records
            if self._on_records is not None:
                self._on_records(observer, records)
            calls.clear()
        if not self.skipped:
            for i in self.chain:
                if not isinstance(i, Observer):
                    self.activity[id(i)].check(i, self.family)


def _without_rivals(chain: tuple[Intervention, ...]) -> tuple[Intervention, ...]:
    """The chain with the last of several that say what frames read: it does so for all key prompts."""
    rivals = [i for i, each in enumerate(chain) if isinstance(each, Prompting)][:-1]
    return tuple(each for i, each in enumerate(chain) if i not in rivals)


def _without_twins(chain: Iterable[Intervention]) -> tuple[Intervention, ...]:
    """The chain with equal observers only once: they would record the same twice."""
    kept: list[Intervention] = []
    for i in chain:
        if not (isinstance(i, Observer) and i in kept):
            kept.append(i)
    return tuple(kept)
