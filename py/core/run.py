"""Everything that changes during one sampling run; it is made when the sampler starts and gone when it ends."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .errors import TemporalAttentionError
from .events import CallNotes, Forward, Site, Step
from .intervention import Intervention, Observer
from .pipeline import Pipeline, active
from .trace import Trace, to_records

log = logging.getLogger("temporal_attention")


@dataclass
class Activity:
    """What one intervention did in a run: forwards in its window, calls it acted on, steps and blocks it touched."""

    forwards: int = 0
    calls: int = 0
    steps: set[int] = field(default_factory=set)
    blocks: set[int] = field(default_factory=set)


class Run:
    """One sampling run.

    Args:
        chain: the interventions in stacking order.
        family: the model family's name, for reports.
        blocks: number of blocks of the network.
    """

    def __init__(self, chain: tuple[Intervention, ...], family: str, blocks: int):
        self.chain = _without_twins(i for i in chain if i.acts())
        self.family = family
        self.activity = {id(i): Activity() for i in self.chain}
        self.traces = {i: Trace(family, blocks) for i in self.chain if isinstance(i, Observer)}
        self.skipped: Counter[str] = Counter()
        self.forwards = 0
        self.steps = 0
        self._step: Step | None = None
        self._pending: dict[Observer, list[CallNotes]] = {observer: [] for observer in self.traces}

    def open(self, forward: Forward) -> Pipeline | None:
        """The pipeline for one network call, or None where nothing acts in it."""
        self.forwards += 1
        self.steps = forward.step.total
        if self._step != forward.step:
            self._flush()
            self._step = forward.step
        if forward.grid.frames < 2:
            self.skip("one latent frame: there is no time axis to act on")
            return None
        chain = active(self.chain, forward)
        for i in chain:
            self.activity[id(i)].forwards += 1
        return Pipeline(chain, lambda i, site: self._acted(i, site, forward), self._record) if chain else None

    def skip(self, reason: str) -> None:
        """Counts a network call that is passed through, and says why the first time."""
        if not self.skipped[reason]:
            log.warning("Temporal Attention passes calls through unchanged: %s.", reason)
        self.skipped[reason] += 1

    def close(self) -> None:
        """Ends a run that came to its end: completes the traces, logs what each intervention did.

        Raises TemporalAttentionError where an intervention's window was reached but no site of the network matched.
        """
        self._flush()
        report = tuple(self._report(i) for i in self.chain) + tuple(
            f"passed through {n} network calls: {reason}" for reason, n in self.skipped.items()
        )
        for line in report:
            log.info("Temporal Attention: %s", line)
        for trace in self.traces.values():
            trace.report = report
        for i in self.chain:
            self._check_acted(i)

    def _acted(self, i: Intervention, site: Site, forward: Forward) -> None:
        did = self.activity[id(i)]
        did.calls += 1
        did.blocks.add(site.block)
        did.steps.add(forward.step.index)

    def _record(self, observer: Observer, call: CallNotes) -> None:
        self._pending[observer].append(call)

    def _flush(self) -> None:
        for observer, calls in self._pending.items():
            self.traces[observer].records += to_records(observer.digest(calls))
            calls.clear()

    def _report(self, i: Intervention) -> str:
        did = self.activity[id(i)]
        name = type(i).__name__
        if not did.forwards:
            return (
                f"{name} was active on 0 of {self.steps} steps: no step fell into its window "
                f"{i.window.start:g}-{i.window.end:g}; widen it"
            )
        blocks = f"blocks {min(did.blocks)}-{max(did.blocks)}" if did.blocks else "no block"
        return f"{name} acted on {did.calls} calls, {len(did.steps)} of {self.steps} steps, {blocks}"

    def _check_acted(self, i: Intervention) -> None:
        did = self.activity[id(i)]
        if did.forwards and not did.calls and not self.skipped:
            raise TemporalAttentionError(
                f"a network in which {type(i).__name__} finds attention of kind {', '.join(sorted(i.where.kinds))}",
                f"{self.family}, where none of {did.forwards} network calls had any in the chosen blocks and branch",
                "Widen the block range or the branch; torch.compile can also hide the attention calls.",
            )


def _without_twins(chain: Iterable[Intervention]) -> tuple[Intervention, ...]:
    """The chain with equal observers only once: they would record the same twice."""
    kept: list[Intervention] = []
    for i in chain:
        if not (isinstance(i, Observer) and i in kept):
            kept.append(i)
    return tuple(kept)
