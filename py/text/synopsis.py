"""A language model's answer to the instruction for a video synopsis -> key prompts (VSTAR, section 3.4 and appendix C)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.errors import TemporalAttentionError
from ..prompts.key_prompts import KeyPrompt, Place, check_order
from .entry import Entry
from .json_entries import json_entries
from .lines import line_entries

END_OF_THOUGHTS = "</think>"


@dataclass(frozen=True)
class Synopsis:
    """The key prompts of an answer, and the lines of it that are none."""

    prompts: tuple[KeyPrompt, ...]
    left_out: tuple[str, ...]


def parse_synopsis(answer: str) -> Synopsis:
    """Reads an answer: JSON, or lines in any of the styles of `lines` and `entry`.

    Raises TemporalAttentionError, naming the line, where nothing can be read or the places are no schedule.
    """
    text = _without_thoughts(answer)
    in_json = json_entries(text)
    entries, left_out = line_entries(text) if in_json is None else (in_json, [])
    entries = _with_numbers_read(entries)
    for entry in entries:
        if not entry.text:
            raise TemporalAttentionError(f"a prompt in {entry.name}", "only its number or place", "Write it, or remove the line.")
    prompts = tuple(KeyPrompt(entry.text, entry.place) for entry in entries)
    check_order(list(zip([entry.name for entry in entries], prompts, strict=True)))
    return Synopsis(prompts, tuple(left_out))


def _without_thoughts(answer: str) -> str:
    """The answer after the thoughts of a reasoning model, its lines numbered as before."""
    thoughts, end, rest = answer.rpartition(END_OF_THOUGHTS)
    if end:
        return "\n" * thoughts.count("\n") + rest
    if answer.lstrip().startswith("<think>"):
        raise TemporalAttentionError(
            "an answer after the model's thoughts", "thoughts that were cut off", "Raise max_length, or turn thinking off."
        )
    return answer


def _with_numbers_read(entries: list[Entry]) -> list[Entry]:
    """Numbers that count the states up by one from 0 or 1 are no places, also in "Frame 1:"; other bare ones are seconds."""
    frames = [e.place.value if e.place and e.place.unit == "frame" else None for e in entries]
    if _counts(frames):
        return [replace(e, place=None) for e in entries]
    if _counts([e.number for e in entries]):
        return entries
    return [e if e.number is None or e.place else replace(e, place=Place(float(e.number), "seconds")) for e in entries]


def _counts(numbers: list[float | None]) -> bool:
    return len(numbers) > 1 and numbers[0] in (0, 1) and numbers == [numbers[0] + i for i in range(len(numbers))]


def synopsis_report(synopsis: Synopsis) -> str:
    """What was read and what was not, one fact a line."""
    places = [str(prompt.place) for prompt in synopsis.prompts if prompt.place]
    count = len(synopsis.prompts)
    lines = [
        f"{count} key prompt{'s' * (count > 1)}, {'at ' + ', '.join(places) if places else 'without places: spread evenly'}",
        *(f"left out: {line}" for line in synopsis.left_out),
    ]
    return "\n".join(lines)
