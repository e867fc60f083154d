"""One key prompt as a language model writes it: list mark, label, place, quotes and Markdown around the text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ..prompts.key_prompts import Place
from .place import BRACKETED, read_place

BULLET = re.compile(r"[-–—*+•\u2023\u25aa\u25cf\u25e6·]\s+")
NUMBER = re.compile(r"\(?\d{1,3}(?:[.)]{1,2}(?!\d)|\s*[-–—|](?=\s+\D))\s*|#\d{1,3}\s*[:.)]?\s*")
NUMBER_AND_COLON = re.compile(r"(?P<number>\d{1,9}):(?:\s+|$)")
NOUNS = r"state|scene|stage|step|shot|phase|part|prompt|moment|segment|section|image|key\s*frame|description"
COUNTED = rf"(?:key[\s-]*)?(?:{NOUNS})\s*\#?\s*\d{{1,3}}(?:\s*(?:of|/)\s*\d+)?"
COUNTED_FRAME = rf"frame\s*\#?\s*\d{{1,3}}(?=\s*{BRACKETED})"  # without a time behind it, it is the place itself
LABEL = re.compile(rf"(?:{COUNTED}|{COUNTED_FRAME})\s*(?:[:.)–—|]+|-(?=\s)|(?=[\[(])|$)\s*", re.I)
NAMED = re.compile(r"(?:prompt|description|caption|text|visuals?)\s*:\s*", re.I)
QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "'": "'", "‘": "’"}


@dataclass(frozen=True)
class Entry:
    """A key prompt that was found.

    Args:
        name: where, for errors: "line 3".
        marked: it had a list mark, a label, a place or quotes, so it is no chatter.
        number: the bare number in front of a colon, which may be a time or may count.
    """

    name: str
    text: str
    place: Place | None = None
    marked: bool = False
    number: int | None = None


def read_entry(text: str, name: str) -> Entry:
    """Takes a line, or a string out of JSON, apart. Raises TemporalAttentionError for a negative place."""
    entry = Entry(name, _plain(text))
    if found := BULLET.match(entry.text):
        entry = replace(entry, text=entry.text[found.end() :], marked=True)
    entry = _unquoted(entry)
    for strip in (_without_number, _without_label, _without_place, _without_label, _unquoted):
        entry = strip(entry)
    name_before = NAMED.match(entry.text) if entry.marked else None
    text = entry.text[name_before.end() :] if name_before else entry.text
    return _unquoted(replace(entry, text=" ".join(text.split())))


def _plain(text: str) -> str:
    """Without Markdown: headings, quotation marks, bold, code, the bars around a table's row, and italics of the whole."""
    text = re.sub(r"^(?:#{1,6}|>)\s+", "", text.strip())
    text = text.replace("**", "").replace("`", "").strip().strip("|").strip()
    italic = re.fullmatch(r"([*_])([^*_]+)\1", text)
    return italic[2] if italic else text


def _unquoted(entry: Entry) -> Entry:
    text = entry.text.strip().rstrip(",;").rstrip()
    if len(text) > 2 and QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        return replace(entry, text=text[1:-1].strip(), marked=True)
    return entry


def _without_number(entry: Entry) -> Entry:
    if found := NUMBER.match(entry.text):
        return replace(entry, text=entry.text[found.end() :], marked=True)
    if found := NUMBER_AND_COLON.match(entry.text):
        return replace(entry, text=entry.text[found.end() :], marked=True, number=int(found["number"]))
    return entry


def _without_label(entry: Entry) -> Entry:
    found = LABEL.match(entry.text)
    return replace(entry, text=entry.text[found.end() :], marked=True) if found else entry


def _without_place(entry: Entry) -> Entry:
    found = read_place(entry.text, entry.name)
    return replace(entry, text=found[1], place=found[0], marked=True) if found else entry
