"""What happens to one attention call and to one block output: every intervention in its order, then the observers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .attention import Attention
from .events import Block, CallNotes, Forward, Site, Step
from .intervention import Intervention, Observer
from .rows import Call, put, put_call, take, take_call

ATTENTION_HOOKS = ("before", "after", "seen")
BLOCK_HOOKS = ("block", "block_seen")


@dataclass(frozen=True)
class Pipeline:
    """The interventions that act in one forward, in stacking order; `count` and `record` tell the run about it."""

    chain: tuple[Intervention, ...]
    count: Callable[[Intervention, Site, Step, bool], None]
    record: Callable[[Observer, CallNotes], None]

    def attention(self, call: Attention) -> Tensor:
        """Runs one attention call: before*, the model's own kernel, after*, observers. Returns [B, H, Lq, D]."""
        chain = self._acting(call, *ATTENTION_HOOKS)
        changed: dict[int, bool] = {}
        edited = call
        for i in chain:
            edited, changed[id(i)] = self._edit(i, edited, "before")
        out = edited.attend()
        finished = edited.edit(out=out)
        for i in chain:
            out, also = self._edit_output(i, edited, out)
            self.count(i, call.site, call.forward.step, changed[id(i)] or also or isinstance(i, Observer))
        for i in chain:
            if isinstance(i, Observer):
                received = _shown(i, finished)
                notes = i.seen(received if edited is call else _shown(i, call), received)
                self.record(i, CallNotes(call.site, call.forward, [*call.notes, *notes]))
        return out

    def block(self, call: Block) -> Block:
        """Runs one block output through the interventions that act on blocks, then shows it to the observers."""
        chain = self._acting(call, *BLOCK_HOOKS)
        for i in chain:
            call, changed = self._edit(i, call, "block")
            self.count(i, call.site, call.forward.step, changed or isinstance(i, Observer))
        for i in chain:
            if isinstance(i, Observer):
                self.record(i, CallNotes(call.site, call.forward, i.block_seen(_shown(i, call))))
        return call

    def wants(self, site: Site) -> bool:
        """Does anything act on this attention?"""
        return bool(self._at(site, *ATTENTION_HOOKS))

    def wants_block(self, site: Site) -> bool:
        """Does anything act on the output of this block?"""
        return bool(self._at(site, *BLOCK_HOOKS))

    def _at(self, site: Site, *hooks: str) -> list[Intervention]:
        return [i for i in self.chain if any(map(i.has, hooks)) and i.where.matches(site)]

    def _acting(self, call: Call, *hooks: str) -> list[Intervention]:
        return [i for i in self._at(call.site, *hooks) if i.rows_of(call.forward)]

    def _edit(self, i: Intervention, call: Call, hook: str) -> tuple[Call, bool]:
        """Hands an intervention only its own rows, merges what it changed, and says whether it did."""
        if not i.has(hook):
            return call, False
        rows = i.rows_of(call.forward)
        if len(rows) == len(call.rows):
            new = getattr(i, hook)(call)
        else:
            part = take_call(call, rows)
            new = put_call(call, getattr(i, hook)(part), part)
        return new, new is not call

    def _edit_output(self, i: Intervention, call: Attention, out: Tensor) -> tuple[Tensor, bool]:
        if not i.has("after"):
            return out, False
        rows = i.rows_of(call.forward)
        if len(rows) == len(call.rows):
            new = i.after(call, out)
        else:
            part = take(out, rows)
            edited = i.after(take_call(call, rows), part)
            new = out if edited is part else put(out, rows, edited)
        return new, new is not out


def _shown(i: Intervention, call: Call) -> Call:
    """What an intervention may see of a call: its own rows."""
    rows = i.rows_of(call.forward)
    return call if len(rows) == len(call.rows) else take_call(call, rows)


def active(chain: tuple[Intervention, ...], forward: Forward) -> tuple[Intervention, ...]:
    """The interventions that this forward concerns; observers are not shown extra passes, only the model's own."""
    inside = (i for i in chain if i.window.contains(forward.step) and i.concerns(forward))
    return tuple(i for i in inside if not (forward.extra and isinstance(i, Observer)))
