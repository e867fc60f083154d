"""Places in a video as language models write them: 12s, 0-2 s, 0:04, 25%, frame 8, [0:00 - 0:02], at 3 seconds."""

from __future__ import annotations

import re

from ..prompts.key_prompts import Place, check_place

NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
CLOCK = r"(?:\d{1,2}:)?\d{1,3}:\d{2}(?:\.\d{1,3})?"
UNIT = r"(?:seconds?|secs?|s|percent|%|frames?)"
TO = r"\s*(?:[-–—~\u2192]|to|until)\s*"
PLACE = (  # of a range, the start counts
    r"(?:(?:at|from|time(?:stamp)?|t\s*=)\s*:?\s*)?"
    rf"(?:(?:frames?|f)\s*\#?\s*(?P<frame>[-+]?{NUMBER})(?:{TO}(?:frames?|f)?\s*{NUMBER})?"
    rf"|(?P<clock>{CLOCK})\s*s?(?:{TO}{CLOCK}\s*s?)?"
    rf"|(?:seconds?|secs?)\s+(?P<second>{NUMBER})(?:{TO}{NUMBER})?"
    rf"|(?P<value>[-+]?{NUMBER})\s*(?:{UNIT}?{TO}{NUMBER}\s*)?(?P<unit>{UNIT})(?![a-z]))"
)
SEPARATOR = r"\s*(?:[:–—|\u2192]|-(?!\d))\s*"
BRACKETED = rf"[\[(]\s*{PLACE}\s*[\])]"

WHOLE = re.compile(PLACE, re.I)
LEADING = re.compile(rf"{PLACE}(?:{SEPARATOR}|$)", re.I)
LEADING_PHRASE = re.compile(rf"(?=at\b|from\b){PLACE}\s*,\s*", re.I)
LEADING_BRACKETED = re.compile(rf"{BRACKETED}(?:{SEPARATOR}|\s+|$)", re.I)
TITLED = re.compile(rf"(?P<title>[^:()\[\]]{{1,60}}?)\s*{BRACKETED}(?:{SEPARATOR}|$)", re.I)


def read_place(text: str, where: str) -> tuple[Place, str] | None:
    """(place, what follows it) of a text that begins with a place; None for others.

    A title before a place in brackets stays with the text: "Winter (0-2 s): a lake" -> "Winter: a lake".
    Raises TemporalAttentionError for a negative place; `where` it stands, in words.
    """
    if found := LEADING.match(text) or LEADING_PHRASE.match(text) or LEADING_BRACKETED.match(text):
        return _place(found, where), text[found.end() :]
    if found := TITLED.match(text):
        rest = text[found.end() :]
        return _place(found, where), f"{found['title'].strip()}: {rest}" if rest else found["title"].strip()
    return None


def place_of(text: str, where: str) -> Place | None:
    """The place that a whole text is; None where it is none. Raises as `read_place`."""
    found = WHOLE.fullmatch(text.strip("[]() \t"))
    return _place(found, where) if found else None


def _place(found: re.Match, where: str) -> Place:
    value, unit = _value_and_unit(found)
    check_place(value, unit, f" in {where}")
    return Place(value, unit)


def _value_and_unit(found: re.Match) -> tuple[float, str]:
    if found["frame"]:
        return float(found["frame"]), "frame"
    if found["clock"]:
        parts = [float(part) for part in reversed(found["clock"].split(":"))]
        return sum(part * 60**power for power, part in enumerate(parts)), "seconds"
    if found["second"]:
        return float(found["second"]), "seconds"
    unit = found["unit"].lower()
    return float(found["value"]), "percent" if unit[0] in "%p" else "frame" if unit[0] == "f" else "seconds"
