"""What one intervention did in a run, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import TemporalAttentionError
from .events import Forward, Site, Step
from .intervention import Intervention, Observer


@dataclass
class Activity:
    """`forwards` network calls fell into its window, `seen` calls were handed to it, it acted on `calls` of them.

    `entered` counts the blocks of its choice that ran in those network calls (a cache may answer one without running any), `due`
    those that ran with rows of its branch. `combined` says whether the guider let it combine predictions, `latents` are the steps
    before which it changed the latent.
    """

    forwards: int = 0
    entered: int = 0
    due: int = 0
    seen: int = 0
    calls: int = 0
    steps: set[int] = field(default_factory=set)
    blocks: set[int] = field(default_factory=set)
    latents: set[int] = field(default_factory=set)
    combined: bool = False

    def enter(self, i: Intervention, forward: Forward, block: int) -> None:
        """Counts a block that runs."""
        if i.where.blocks is None or block in i.where.blocks:
            self.entered += 1
            self.due += bool(i.rows_of(forward))

    def count(self, site: Site, step: Step, acted: bool) -> None:
        """Counts one call that was handed to the intervention."""
        self.seen += 1
        if acted:
            self.calls += 1
            self.steps.add(step.index)
            self.blocks.add(site.block)

    def report(self, i: Intervention, steps: int, skipped: bool) -> str:
        """One line; `steps` is the length of the run, `skipped` says whether calls were passed through."""
        name = type(i).__name__
        if self.latents:
            return f"{name} changed the latent before {len(self.latents)} of {steps} steps"
        if not self.forwards and not skipped:
            return f"{name} was active on 0 of {steps} steps: {i.idle()}"
        if not self.seen:
            return f"{name} received no calls{self._why_none()}"
        if not self.calls:
            why = i.unchanged() if self.combined or not i.has("guide") else "this guider never combines predictions in its window"
            return f"{name} received {counted(self.seen)} and changed none: {why}"
        first, last = min(self.blocks), max(self.blocks)
        blocks = f"block {first}" if first == last else f"blocks {first}-{last}"
        did = "looked at" if isinstance(i, Observer) else "acted on"
        return f"{name} {did} {counted(self.calls)}, {len(self.steps)} of {steps} steps, {blocks}"

    def _why_none(self) -> str:
        if self.due:
            return ""
        return ": in its window no prediction of its branch was made" if self.entered else ": a cache answered for the network"

    def check(self, i: Intervention, family: str) -> None:
        """Raises TemporalAttentionError where blocks ran with rows for it but none had a site for it."""
        if self.due and not self.seen:
            raise TemporalAttentionError(
                f"a network with {', '.join(sorted(i.where.kinds))} attention for {type(i).__name__} to act on",
                f"{family}, where none of the {self.forwards} network calls had any in the chosen blocks",
                "Widen the block range; a network that another pack replaced can also hide its attention.",
            )


def counted(calls: int) -> str:
    """A number of calls in words."""
    return "1 call" if calls == 1 else f"{calls} calls"
