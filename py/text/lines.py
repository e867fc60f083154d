"""Key prompts out of an answer in lines: a list in any of its styles, or one prompt a line, and chatter around either."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .entry import Entry, read_entry

FENCE = re.compile(r"\s*(?:```|~~~)")
HEADING = re.compile(r"\s*(?:#{1,6}\s|\*\*.*\*\*:?\s*$)")
TITLE = re.compile(r"\s*(?:#{1,6}\s|(?:\S{1,4}\s+)?\*\*[^*]*\*\*:?\s*$)")
QUOTED = re.compile(r'"([^"]{2,})"|“([^”]{2,})”')
INDENT = 2
OPENING = re.compile(
    r"(?:sure|certainly|of course|absolutely|okay|ok|got it)\s*[,.!:–—-]|"
    r"here(?: is|'s|’s| are)\b.*\b(?:states?|descriptions?|prompts?|synopsis|breakdown|list|split|sequence)\b|.*:\s*$",
    re.I,
)
CLOSING = re.compile(
    r"(?:let me know|feel free|i hope|hope (?:this|these|that)|would you like|do you want|if you(?:'d| would| want| need)|"
    r"note(?: that)?\b|please let)",
    re.I,
)


@dataclass(frozen=True)
class Line:
    """A line of the answer, its number counted from 1."""

    number: int
    raw: str

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"line {self.number}"

    @property
    def indent(self) -> int:
        """Columns before its text."""
        return len(self.raw.expandtabs(4)) - len(self.raw.expandtabs(4).lstrip())


def line_entries(answer: str) -> tuple[list[Entry], list[str]]:
    """(key prompts, lines that are none). Raises TemporalAttentionError for a negative place, by the number of its line."""
    lines, left_out = _fenced([Line(number, raw) for number, raw in enumerate(answer.splitlines(), 1)])
    lines = [line for line in lines if not line.raw.strip() or re.search(r"\w", line.raw)]
    entries, outside = _listed(lines)
    if not entries:
        entries, outside = _plain(lines)
    return entries, left_out + outside


def _fenced(lines: list[Line]) -> tuple[list[Line], list[str]]:
    """What stands between code fences, where there are any, and the lines outside of them."""
    inside, outside, fenced = [], [], False
    for line in lines:
        if FENCE.match(line.raw):
            fenced = not fenced
        else:
            (inside if fenced else outside).append(line)
    return (inside, _texts(outside)) if any(line.raw.strip() for line in inside) else (outside, [])


def _listed(lines: list[Line]) -> tuple[list[Entry], list[str]]:
    """The marked lines, each with what belongs to it: deeper lines, and below a heading or a bare label the next paragraph."""
    entries: list[Entry] = []
    left_out: list[Line] = []
    indent, wants_body, in_body, titled = 0, False, False, False
    for line in lines:
        if not line.raw.strip():
            in_body = False
            continue
        entry = read_entry(line.raw, line.name)
        deeper = bool(entries) and line.indent >= indent + INDENT
        if entry.marked and not deeper:
            entries.append(entry)
            indent, wants_body, in_body = line.indent, bool(HEADING.match(line.raw)) or not entry.text, False
            titled = bool(TITLE.match(line.raw))
        elif deeper or in_body or (wants_body and not CLOSING.match(entry.text)):
            entries[-1] = _joined(entries[-1], entry, titled)
            wants_body, in_body, titled = False, in_body or wants_body, False
        else:
            left_out.append(line)
    return entries, _texts(left_out)


def _joined(entry: Entry, more: Entry, titled: bool) -> Entry:
    """An entry with a line that belongs to it: after its title, as another point, or where a sentence goes on."""
    ended = entry.text.endswith((".", ",", ";", "!", "?"))
    between = ": " if titled else ", " if more.marked and not ended else " "
    text = f"{entry.text.rstrip(':')}{between}{more.text}" if entry.text else more.text
    return replace(entry, text=text, place=entry.place or more.place)


def _plain(lines: list[Line]) -> tuple[list[Entry], list[str]]:
    """One prompt a line, without a chatty first and last one; a single line may hold several in quotes."""
    lines = [line for line in lines if line.raw.strip()]
    kept = lines[1:] if lines and OPENING.match(lines[0].raw.strip()) else lines
    kept = kept[:-1] if len(kept) > 1 and CLOSING.match(kept[-1].raw.strip()) else kept
    left_out = _texts([line for line in lines if line not in kept])
    quoted = [one or other for one, other in QUOTED.findall(kept[0].raw)] if len(kept) == 1 else []
    if len(quoted) > 1:
        return [Entry(kept[0].name, text.strip().rstrip(",")) for text in quoted], left_out
    return [read_entry(line.raw, line.name) for line in kept], left_out


def _texts(lines: list[Line]) -> list[str]:
    return [line.raw.strip() for line in lines if line.raw.strip()]
