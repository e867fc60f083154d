"""Key prompts out of an answer in JSON: strings, objects with a time and a text, or an object from time to text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..core.errors import TemporalAttentionError
from ..prompts.key_prompts import Place, check_place
from .entry import Entry, read_entry
from .place import place_of

START = re.compile(r'\[\s*["{\[]|\{\s*"')
TEXTS = ("prompt", "text", "description", "caption", "content", "visual", "state", "scene")
TIMES = {
    **dict.fromkeys(("time", "seconds", "second", "start", "start_time", "timestamp", "time_seconds", "at", "t"), "seconds"),
    **dict.fromkeys(("percent", "percentage", "progress"), "percent"),
    **dict.fromkeys(("frame", "start_frame", "frame_number"), "frame"),
}
SHAPES = "a list of strings, a list of objects with a time and a text, or an object from time to text"


def json_entries(answer: str) -> list[Entry] | None:
    """The key prompts of the JSON in an answer, whatever stands around it; None where there is none.

    Raises TemporalAttentionError for JSON that is broken, by the number of its line, or of another shape.
    """
    values = list(_values(answer))
    found = [pair for value in values for pair in _pairs(value)]
    return [_entry(key, value, f"entry {i}") for i, (key, value) in enumerate(found, 1)] if values else None


def _values(answer: str) -> Iterator[object]:
    """Every JSON value, one after the other."""
    decoder, at = json.JSONDecoder(strict=False), 0
    while found := START.search(answer, at):
        try:
            value, at = decoder.raw_decode(answer, found.start())
        except json.JSONDecodeError as error:
            raise TemporalAttentionError(
                "complete JSON, or one key prompt per line",
                f"JSON that breaks off or is wrong in line {error.lineno}: {error.msg}",
                "Fix it, or ask again with a larger max_length.",
            ) from error
        yield value


def _pairs(value: object) -> list[tuple[str, object]]:
    """(key or "", key prompt) of everything in a JSON value that stands for a key prompt."""
    if isinstance(value, list):
        return [("", one) for one in value]
    inner = [one for one in value.values() if isinstance(one, list | dict)]
    if inner:
        return _pairs(inner[0])
    return [("", value)] if _text(value, TEXTS) else list(value.items())


def _entry(key: str, value: object, name: str) -> Entry:
    if isinstance(value, dict):
        return _from_object({k.lower(): v for k, v in value.items()}, name)
    if not isinstance(value, str):
        raise TemporalAttentionError(f"JSON that is {SHAPES}", f"{json.dumps(value)} as {name}", "Ask for one of these.")
    entry = read_entry(value, name)
    if key.isdecimal():
        return replace(entry, number=int(key))
    return replace(entry, place=place_of(key, name) or entry.place)


def _from_object(value: dict, name: str) -> Entry:
    text = _text(value, TEXTS) or _text(value, [key for key in value if key not in TIMES])
    if not text:
        raise TemporalAttentionError(
            f"a text in {name}, under a name such as {', '.join(TEXTS[:3])}", json.dumps(value), "Add it."
        )
    entry = read_entry(text, name)
    key = next((key for key in TIMES if value.get(key) is not None), None)
    return replace(entry, place=_place(value[key], TIMES[key], name)) if key else entry


def _text(value: dict, keys: Iterable[str]) -> str:
    """The first text under one of the keys, "" without any."""
    return next((value[key] for key in keys if isinstance(value.get(key), str) and value[key].strip()), "")


def _place(time: object, unit: str, name: str) -> Place:
    """The place that a number, a number in quotes, or a text such as "0-2 s" means."""
    if isinstance(time, str) and (place := place_of(time.strip(), name)):
        return place
    if isinstance(time, bool) or not re.fullmatch(r"-?\d{1,9}(\.\d+)?", str(time).strip()):
        raise TemporalAttentionError(f"a time such as 2 or 0:02 in {name}", json.dumps(time), "Fix it.")
    check_place(float(time), unit, f" in {name}")
    return Place(float(time), unit)
