"""One attention call as an intervention is shown it, and the biases that it may add to the scores."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from torch import Tensor

from .events import Forward, Note, Site

Kernel = Callable[["Attention"], Tensor]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class LowRankBias:
    """queries @ keys^T, added to the scores of the batch rows `rows` of a forward and never multiplied out for all tokens.

    queries [B or 1, H or 1, Lq, r] and keys [B or 1, H or 1, Lk, r], where B counts `rows`; finite: what a query may not see
    belongs into a mask. Float32 queries are rounded but once, on their way to the kernel.
    """

    rows: tuple[int, ...]
    queries: Tensor
    keys: Tensor


@dataclass(frozen=True)
class Attention:
    """One attention call: q [B, H, Lq, D], k and v [B, H, Lk, D], the score `scale`, and a `bias` or None.

    `bias` is [B or 1, H or 1, Lq or 1, Lk], boolean (True = may attend) or additive. In temporal and spatial attention q, k and v
    are those of the whole video, but Lk of a bias counts the keys that a query has: the frames of its position, or the places of
    its frame. `low_rank` are further biases, which add up. `rows` are the batch rows of the forward that this call holds.
    `notes` and `memory` are shared by all edits of a call: values for the trace, and measurements that several interventions
    may want. Observers also see what the kernel returned, `out` [B, H, Lq, D].
    """

    site: Site
    forward: Forward
    q: Tensor
    k: Tensor
    v: Tensor
    bias: Tensor | None
    scale: float
    kernel: Kernel
    rows: tuple[int, ...]
    low_rank: tuple[LowRankBias, ...] = ()
    notes: list[Note] = field(default_factory=list)
    memory: dict = field(default_factory=dict)
    out: Tensor | None = None

    def edit(self, **changes) -> Attention:
        """A changed copy; nothing is written in place."""
        return replace(self, **changes)

    def biased(self, queries: Tensor, keys: Tensor) -> Attention:
        """The call with queries @ keys^T added to its scores; shapes as in `LowRankBias`, for this call's rows."""
        return replace(self, low_rank=(*self.low_rank, LowRankBias(self.rows, queries, keys)))

    def attend(self) -> Tensor:
        """The model's own attention kernel on this call: [B, H, Lq, D]."""
        return self.kernel(self)

    def once(self, key: Hashable, inputs: tuple, compute: Callable[[], T]) -> T:
        """compute(), done once for this key and these very inputs, however many edits of the call ask for it.

        Inputs are compared by identity. They are kept beside the result: an id is only unique while its object lives.
        """
        key = (key, *map(id, inputs))
        if key not in self.memory:
            self.memory[key] = (compute(), inputs)
        return self.memory[key][0]

    def note(self, name: str, value: Tensor) -> None:
        """Puts a value with one entry a batch row on every trace (it stays on its device until the step ends)."""
        self.notes.append(Note(name, self.rows, value))
