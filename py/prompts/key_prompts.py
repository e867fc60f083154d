r"""Key prompts as people write them: one a line, each with its place in the video before it or all without.

    a frozen lake under snow          0s: a frozen lake under snow        0%: ...       f0: ...
    the same lake, the ice breaking   2.5s: the same lake, the ice ...    50%: ...      f40: ...

A prompt that itself starts like a place gets a backslash in front: `\1950s: a diner` is the prompt `1950s: a diner`.
Empty lines count for the line numbers of errors and for nothing else. The editor reads the same grammar in JavaScript:
tests/key_prompt_vectors.json holds both to it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from ..core.errors import TemporalAttentionError

UNITS = {"f": "frame", "s": "seconds", "%": "percent"}
LETTERS = {unit: letter for letter, unit in UNITS.items()}
NUMBER = r"[-+]?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
PLACED = re.compile(rf"(?:(?P<f>[fF])\s*(?P<frame>{NUMBER})|(?P<value>{NUMBER})\s*(?P<unit>[sS%]))\s*:(?P<text>.*)")
LOOKS_PLACED = re.compile(
    r"(?:f|frames?)?\s*[-+]?\.?[0-9][0-9.,:–-]*\s*(?:seconds?|secs?|percent|frames?|[sf%])?\s*:(?:\s|$)", re.I
)
EXAMPLES = "0s:, 50%: or f8:"


@dataclass(frozen=True)
class Place:
    """A place in a video: `value` in `unit`, one of "frame" (decoded, counted from 0), "seconds" or "percent" (of its length).

    Raises TemporalAttentionError where it lies before the video, or past 100 percent.
    """

    value: float
    unit: str

    def __post_init__(self):
        check_place(self.value, self.unit)

    def __str__(self) -> str:
        value = f"{Decimal(repr(float(self.value))).normalize():f}"
        return f"f{value}" if self.unit == "frame" else f"{value}{LETTERS[self.unit]}"


@dataclass(frozen=True)
class KeyPrompt:
    """What the video shows at its place; a place of None means "evenly spread"."""

    text: str
    place: Place | None = None

    def __str__(self) -> str:
        """The line that `parse_key_prompts` reads as this key prompt."""
        text = f"\\{self.text}" if _starts_like_a_place(self.text.lstrip("\\")) else self.text
        return f"{self.place}: {self.text}" if self.place else text


def check_place(value: float, unit: str, where: str = "") -> None:
    """Raises TemporalAttentionError where a place lies before the video or past 100 percent; `where` it stands, in words."""
    most = 100.0 if unit == "percent" else sys.float_info.max
    if not 0 <= value <= most:
        bounds = "from 0 to 100 percent" if unit == "percent" else f"of at least 0 ({unit})"
        raise TemporalAttentionError(f"a place {bounds}", f"{value:g}{where}", "Fix the number.")


def parse_key_prompts(text: str) -> tuple[KeyPrompt, ...]:
    """Reads key prompts, one per line. Raises TemporalAttentionError, with the number of the line, where that cannot be done."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    prompts = tuple(_read(number, line) for number, line in lines)
    check_order([(f"line {number}", prompt) for (number, _), prompt in zip(lines, prompts, strict=True)])
    return prompts


def check_order(named: Iterable[tuple[str, KeyPrompt]]) -> None:
    """Raises TemporalAttentionError unless there are key prompts, all or none placed, in one unit, each later than the last.

    Args:
        named: key prompts, and what each is called in the error, such as "line 3".
    """
    named = list(named)
    if not named:
        raise TemporalAttentionError("key prompts, one per line", "none", "Write at least one.")
    for (_, before), (name, prompt) in pairwise(named):
        one, other = before.place, prompt.place
        if (one is None) != (other is None):
            came = f"{name} with{'out' if other is None else ''} one, unlike the one before"
            raise TemporalAttentionError("a place before every key prompt or none", came, f"Write places as {EXAMPLES}.")
        if one and one.unit != other.unit:
            came = f"{name} in {other.unit} after {one.unit}"
            raise TemporalAttentionError("one unit for all places", came, "Use frames, seconds or percents throughout.")
        if one and other.value <= one.value:
            came = f"{name} at {other} after {one}"
            raise TemporalAttentionError("places that increase from line to line", came, "Sort the lines; use each place once.")


def format_key_prompts(prompts: Iterable[KeyPrompt]) -> str:
    """The text that `parse_key_prompts` reads back as these prompts."""
    return "\n".join(map(str, prompts))


def _read(number: int, line: str) -> KeyPrompt:
    found = PLACED.fullmatch(line)
    if not found:
        if LOOKS_PLACED.match(line):
            raise TemporalAttentionError(
                f"a place such as {EXAMPLES}",
                f"line {number}: {line!r}",
                "Fix the place, or put a backslash in front if the number belongs to the prompt.",
            )
        escaped = line.startswith("\\") and _starts_like_a_place(line.lstrip("\\"))
        return KeyPrompt(line[1:] if escaped else line)
    value, unit = float(found["frame"] or found["value"]), UNITS[(found["f"] or found["unit"]).lower()]
    check_place(value, unit, f" in line {number}")
    text = found["text"].strip()
    if not text:
        raise TemporalAttentionError(f"a prompt after the place in line {number}", "nothing", "Write it, or remove the line.")
    return KeyPrompt(text, Place(value, unit))


def _starts_like_a_place(text: str) -> bool:
    return bool(PLACED.match(text) or LOOKS_PLACED.match(text))
