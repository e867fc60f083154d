"""What an observer shows of a run while it goes on, and at which node of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

    from .trace import Record


class Picture(Protocol):
    """A picture that fills up."""

    def add(self, records: Sequence[Record]) -> None:
        """Takes the records of a step that is over."""

    def draw(self) -> Image:
        """The picture so far."""


@dataclass(frozen=True)
class Live:
    """`node`: the host's id of the node under which it is seen; `picture`: number of blocks -> the empty picture of a new run."""

    node: str
    picture: Callable[[int], Picture]
