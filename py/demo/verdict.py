"""Whether all that a prompt said is true of the clip made from it."""

from __future__ import annotations

from dataclasses import dataclass

from .measure import Measured, Seen
from .world import MOTIONS, Clip, Thing


def moves(motion: str) -> bool:
    """Whether a motion word means a change of place."""
    return MOTIONS[motion] != (0, 0)


@dataclass(frozen=True)
class Verdict:
    """What of a prompt holds in a clip: all false for an absent thing; `direction` is None where the prompt moves nothing."""

    present: bool
    background: bool
    colour: bool
    shape: bool
    moves_or_stays: bool
    direction: bool | None
    motion: bool

    @property
    def everything(self) -> bool:
        """Whether the thing, its background, colour, shape and motion are all right."""
        return self.present and self.background and self.colour and self.shape and self.motion


def judge(asked: Clip, measured: Measured) -> Verdict:
    """One thing asked for: the most present thing of the clip is judged, whatever its colour. Two: each by its colour."""
    alone = len(asked.things) == 1
    pairs = [(thing, _counterpart(thing, measured, alone)) for thing in asked.things]
    moving = [(thing, seen) for thing, seen in pairs if moves(thing.motion)]
    return Verdict(
        present=all(seen is not None for _, seen in pairs),
        background=measured.background == asked.backgrounds[0],
        colour=all(seen is not None and seen.colour == thing.colours[0] for thing, seen in pairs),
        shape=all(seen is not None and seen.shape == thing.shape for thing, seen in pairs),
        moves_or_stays=all(seen is not None and moves(seen.motion) == moves(thing.motion) for thing, seen in pairs),
        direction=all(seen is not None and seen.motion == thing.motion for thing, seen in moving) if moving else None,
        motion=all(seen is not None and seen.motion == thing.motion for thing, seen in pairs),
    )


def _counterpart(thing: Thing, measured: Measured, alone: bool) -> Seen | None:
    if alone:
        return measured.things[0] if measured.things else None
    return measured.of(thing.colours[0])
