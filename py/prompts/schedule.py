"""The text of a schedule, one phrase a line, such as `cat [linear]: 0=0, 2s=1, 50%=0.5  # a comment`.

    line   = [ phrase [ "[" interpolation "]" ] [ ":" point { "," point } ] ] [ "#" anything ]
    phrase = characters other than " : , = [ ] #   or   "in quotes, with \\" and \\\\"
    point  = place "=" value;  place = number [ "s" | "%" ];  number = up to 9 digits, up to 6 decimals

A plain number is a video frame, counted from 0. A phrase without points is wanted throughout. The editor reads the same
grammar in JavaScript: tests/schedule_vectors.json holds both to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from ..core.errors import TemporalAttentionError
from .curves import INTERPOLATIONS, UNITS, Keyframes, Point
from .tempo import Tempo, Track

QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
BARE = re.compile(r'[^":,=\[\]#]+')
NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?(?![0-9.])|\.[0-9]{1,6}(?![0-9.])")
NAME = re.compile(r"[^\W\d_]+|%")
SPACE = re.compile(r"[ \t]*")
GRAMMAR = "Write lines as phrase: place=value, place=value, with places such as 12 (video frame), 2s (seconds) or 50%."


@dataclass(frozen=True)
class Line:
    """A phrase and its points; no points: throughout. `interpolation` None: the default of whoever reads it."""

    phrase: str
    points: tuple[Point, ...] = ()
    interpolation: str | None = None


@dataclass(frozen=True)
class Schedule:
    """The lines of a text."""

    lines: tuple[Line, ...]

    def tempo(self, fps: float, interpolation: str) -> Tempo:
        """Its tracks, with a frame rate and with an interpolation for the lines that name none."""
        curves = [Keyframes(line.points, line.interpolation or interpolation, fps) for line in self.lines]
        return Tempo(tuple(Track(line.phrase, curve) for line, curve in zip(self.lines, curves, strict=True)))


def parse_schedule(text: str) -> Schedule:
    """Text -> Schedule. Raises TemporalAttentionError with line and column, both counted from 1."""
    lines: dict[str, Line] = {}
    for row, content in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        reader = _Reader(content, row)
        if reader.ended():
            continue
        start = reader.column
        line = _line(reader)
        if line.phrase.lower() in lines:
            reader.fail("each phrase once", f"{line.phrase!r} again", "Put all of its points on one line.", start)
        lines[line.phrase.lower()] = line
    if not lines:
        raise TemporalAttentionError("a schedule", "no phrase at all", GRAMMAR)
    return Schedule(tuple(lines.values()))


class _Reader:
    """One line of text and how far it was read."""

    def __init__(self, content: str, row: int):
        self._content, self._row, self._at = content, row, 0
        self.read(SPACE)

    @property
    def column(self) -> int:
        return self._at + 1

    def read(self, pattern: re.Pattern) -> re.Match | None:
        """What matches here, if anything; it and the spaces after it are passed."""
        match = pattern.match(self._content, self._at)
        if match:
            self._at = SPACE.match(self._content, match.end()).end()
        return match

    def takes(self, sign: str) -> bool:
        return self.read(re.compile(re.escape(sign))) is not None

    def ended(self) -> bool:
        """At the end of the line or at a comment."""
        return self._content[self._at : self._at + 1] in ("", "#")

    def fail(self, expected: str, came: str = "", do: str = GRAMMAR, column: int | None = None) -> NoReturn:
        rest = re.match(r"[^\s,=:]+|.", self._content[self._at :])
        came = came or (repr(rest[0]) if rest else "the end of the line")
        raise TemporalAttentionError(expected, f"{came} (line {self._row}, column {column or self.column})", do)


def _line(reader: _Reader) -> Line:
    phrase = _phrase(reader)
    interpolation = _interpolation(reader) if reader.takes("[") else None
    if reader.ended() and interpolation is None:
        return Line(phrase)
    if not reader.takes(":"):
        reader.fail(f"a colon after {phrase!r}")
    return Line(phrase, _points(reader), interpolation)


def _phrase(reader: _Reader) -> str:
    start = reader.column
    if quoted := reader.read(QUOTED):
        phrase = re.sub(r"\\(.)", r"\1", quoted[1])
    else:
        bare = reader.read(BARE)
        phrase = bare[0] if bare else ""
    phrase = " ".join(phrase.split())
    if not phrase:
        reader.fail("a phrase of the prompt", do='Put a phrase with : , = [ ] # or " in it into quotes.', column=start)
    return phrase


def _interpolation(reader: _Reader) -> str:
    start = reader.column
    name = reader.read(NAME)
    if not name or name[0] not in INTERPOLATIONS:
        reader.fail(
            f"an interpolation out of {', '.join(INTERPOLATIONS)}", repr(name[0]) if name else "", "Choose one of them.", start
        )
    if not reader.takes("]"):
        reader.fail("a closing bracket")
    return name[0]


def _points(reader: _Reader) -> tuple[Point, ...]:
    points: list[Point] = []
    while not points or reader.takes(","):
        start = reader.column
        point = _point(reader)
        before = [other.place for other in points if other.unit == point.unit]
        if before and point.place <= before[-1]:
            reader.fail("places that increase from point to point", str(point), "Reorder the points.", start)
        points.append(point)
    if not reader.ended():
        reader.fail("a comma or the end of the line")
    return tuple(points)


def _point(reader: _Reader) -> Point:
    start = reader.column
    place = _number(reader, "a place such as 12, 2s or 50%")
    unit_at = reader.column
    name = reader.read(NAME)
    unit = name[0] if name else ""
    if unit not in UNITS:
        reader.fail("the unit s or %, or none for video frames", repr(unit), column=unit_at)
    if unit == "%" and place > 100:
        reader.fail("a percentage from 0 to 100", f"{place:g}", column=start)
    if not reader.takes("="):
        reader.fail("= and a value")
    value_at = reader.column
    value = _number(reader, "a value from 0 to 1")
    if value > 1:
        reader.fail("a value from 0 to 1", f"{value:g}", column=value_at)
    return Point(place, unit, value)


def _number(reader: _Reader, expected: str) -> float:
    found = reader.read(NUMBER)
    if not found:
        reader.fail(expected)
    return float(found[0])
