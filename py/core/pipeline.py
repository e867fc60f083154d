"""What happens to one attention call and to one block output: every intervention in its order, then the observers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .events import Attention, Block, CallNotes, Forward, Site
from .intervention import Intervention, Observer
from .rows import Call, put, put_call, take, take_call

ATTENTION_HOOKS = ("before", "after", "seen")


@dataclass(frozen=True)
class Pipeline:
    """The interventions that act in one forward, in stacking order; `acted` and `record` tell the run about it."""

    chain: tuple[Intervention, ...]
    acted: Callable[[Intervention, Site], None]
    record: Callable[[Observer, CallNotes], None]

    def attention(self, call: Attention) -> Tensor:
        """Runs one attention call: before*, the model's own kernel, after*, observers. Returns [B, H, Lq, D]."""
        self._count(call, ATTENTION_HOOKS)
        edited = call
        for i in self._acting(call.site, "before"):
            edited = self._edit(i, edited, i.before)
        out = edited.attend()
        for i in self._acting(call.site, "after"):
            out = self._edit_output(i, edited, out)
        for i in self._acting(call.site, "seen"):
            self.record(i, CallNotes(call.site, call.forward, [*call.notes, *i.seen(call, edited)]))
        return out

    def block(self, call: Block) -> Block:
        """Runs one block output through the interventions that act on blocks."""
        self._count(call, ("block",))
        for i in self._acting(call.site, "block"):
            call = self._edit(i, call, i.block)
        return call

    def wants(self, site: Site) -> bool:
        """Does anything act on this attention?"""
        return bool(self._acting(site, *ATTENTION_HOOKS))

    def wants_block(self, site: Site) -> bool:
        """Does anything act on the output of this block?"""
        return bool(self._acting(site, "block"))

    def _acting(self, site: Site, *hooks: str) -> list[Intervention]:
        return [i for i in self.chain if any(map(i.has, hooks)) and i.where.matches(site)]

    def _count(self, call: Call, hooks: tuple[str, ...]) -> None:
        for i in self._acting(call.site, *hooks):
            if call.forward.rows(i.branch):
                self.acted(i, call.site)

    def _edit(self, i: Intervention, call: Call, hook: Callable[[Call], Call]) -> Call:
        """Hands an intervention only the rows of its branch, and merges what it changed."""
        rows = call.forward.rows(i.branch)
        if not rows:
            return call
        if len(rows) == len(call.rows):
            return hook(call)
        part = take_call(call, rows)
        return put_call(call, hook(part), part)

    def _edit_output(self, i: Intervention, call: Attention, out: Tensor) -> Tensor:
        rows = call.forward.rows(i.branch)
        if not rows:
            return out
        if len(rows) == len(call.rows):
            return i.after(call, out)
        part = take(out, rows)
        new = i.after(take_call(call, rows), part)
        return out if new is part else put(out, rows, new)


def active(chain: tuple[Intervention, ...], forward: Forward) -> tuple[Intervention, ...]:
    """The interventions whose window holds this forward."""
    return tuple(i for i in chain if i.window.contains(forward.step))
