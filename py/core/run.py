"""Everything that changes during one sampling run; it is made when the sampler starts and gone when it ends."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from .errors import TemporalAttentionError
from .events import CallNotes, Forward, Site
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
        self.chain = tuple(i for i in chain if i.acts())
        self.observers = tuple(i for i in self.chain if isinstance(i, Observer))
        self.activity = {id(i): Activity() for i in self.chain}
        self.trace = Trace(family, blocks)
        self.skipped: Counter[str] = Counter()
        self.forwards = 0
        self.steps = 0
        self._pending: list[CallNotes] = []

    def open(self, forward: Forward) -> Pipeline | None:
        """The pipeline for one network call, or None where nothing acts in it."""
        self.forwards += 1
        self.steps = forward.step.total
        if self._pending and self._pending[0].forward.step != forward.step:
            self._flush()
        if forward.grid.frames < 2:
            self.skip("one latent frame: there is no time axis to act on")
            return None
        chain = active(self.chain, forward)
        for i in chain:
            self.activity[id(i)].forwards += 1
        return Pipeline(chain, lambda i, site: self._acted(i, site, forward)) if chain else None

    def skip(self, reason: str) -> None:
        """Counts a network call that is passed through, and says why the first time."""
        if not self.skipped[reason]:
            log.warning("Temporal Attention passes calls through unchanged: %s.", reason)
        self.skipped[reason] += 1

    def collect(self, call: CallNotes) -> None:
        """Keeps the notes of one call until its step ends; without an observer nobody wants them."""
        if self.observers and call.notes:
            self._pending.append(call)

    def close(self) -> None:
        """Ends a run that came to its end: completes the trace, logs what each intervention did.

        Raises TemporalAttentionError where an intervention's window was reached but no site of the network matched.
        """
        self._flush()
        self.trace.report = tuple(self._report(i) for i in self.chain) + tuple(
            f"passed through {n} network calls: {reason}" for reason, n in self.skipped.items()
        )
        for line in self.trace.report:
            log.info("Temporal Attention: %s", line)
        for i in self.chain:
            self._check_acted(i)

    def _acted(self, i: Intervention, site: Site, forward: Forward) -> None:
        did = self.activity[id(i)]
        did.calls += 1
        did.blocks.add(site.block)
        did.steps.add(forward.step.index)

    def _flush(self) -> None:
        calls, self._pending = self._pending, []
        for observer in self.observers:
            calls = observer.digest(calls)
        self.trace.records += to_records(calls)

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
                f"{self.trace.family}, where none of {did.forwards} network calls had any in the chosen blocks and branch",
                "Widen the block range or the branch; torch.compile can also hide the attention calls.",
            )
