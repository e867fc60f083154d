"""What a clip of the demo world is called: plain English in several phrasings, never a word about when."""

from __future__ import annotations

from random import Random

from .world import Clip, Thing

VERBS = {
    "still": ("stays still", "is still"),
    "grows": ("grows",),
    "shrinks": ("shrinks",),
    **{direction: (f"moves {direction}", f"moving {direction}", f"moves to the {direction}") for direction in ("left", "right")},
    **{direction: (f"moves {direction}", f"moving {direction}") for direction in ("up", "down")},
}


def caption(clip: Clip, random: Random) -> str:
    """At most 16 words, such as "a red circle moves left on a white background"."""
    background = clip.backgrounds[0]
    if len(clip.things) == 1:
        ending = random.choice((f"on a {background} background", f"on {background}", f"with a {background} background"))
        return f"{_subject(clip.things[0], random)} {_verb(clip.things[0], random)} {ending}"
    both = " and ".join(f"a {thing.colours[0]} {thing.shape} {VERBS[thing.motion][0]}" for thing in clip.things)
    return f"{both} on {background}"


def _subject(thing: Thing, random: Random) -> str:
    return f"{random.choice(('a ', 'the ', ''))}{thing.colours[0]} {thing.shape}"


def _verb(thing: Thing, random: Random) -> str:
    return random.choice(VERBS[thing.motion])
