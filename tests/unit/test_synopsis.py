"""Answers as language models write them -> key prompts; the instruction that asks for them."""

import json

import pytest

from pack.py.core.errors import TemporalAttentionError
from pack.py.prompts.key_prompts import format_key_prompts, parse_key_prompts
from pack.py.text.instruction import synopsis_instruction
from pack.py.text.synopsis import parse_synopsis, synopsis_report

LAKE, THAW, BLOOM = "A frozen lake under snow.", "The lake as its ice breaks.", "The lake among flowers."
PLAIN = f"{LAKE}\n{THAW}\n{BLOOM}"
TIMED = f"0s: {LAKE}\n2s: {THAW}\n4s: {BLOOM}"

UNPLACED = {
    "numbered": f"1. {LAKE}\n2. {THAW}\n3. {BLOOM}",
    "numbered, gaps": f"1. {LAKE}\n\n2. {THAW}\n\n3. {BLOOM}\n",
    "numbered with brackets": f"1) {LAKE}\n2) {THAW}\n(3) {BLOOM}",
    "numbered with a colon": f"1: {LAKE}\n2: {THAW}\n3: {BLOOM}",
    "numbered with a dash": f"1 - {LAKE}\n2 – {THAW}\n3 — {BLOOM}",
    "numbered with a hash": f"#1: {LAKE}\n#2 {THAW}\n#3. {BLOOM}",
    "numbered, no space": f"1.{LAKE}\n2.{THAW}\n3.{BLOOM}",
    "numbered, indented": f"  1. {LAKE}\n  2. {THAW}\n  3. {BLOOM}",
    "numbered, wrapped": "1. A frozen lake\n   under snow.\n2. The lake as its\n   ice breaks.\n3. The lake among flowers.",
    "Windows line ends": f"1. {LAKE}\r\n2. {THAW}\r\n3. {BLOOM}\r\n",
    "bullets": f"- {LAKE}\n* {THAW}\n• {BLOOM}",
    "quotation": f"> 1. {LAKE}\n> 2. {THAW}\n> 3. {BLOOM}",
    "quotes": f'"{LAKE}"\n"{THAW}"\n"{BLOOM}"',
    "typographic quotes": f"1. “{LAKE}”\n2. «{THAW}»\n3. ‘{BLOOM}’",
    "quotes and commas": f'"{LAKE}",\n"{THAW}",\n"{BLOOM}"',
    "quotes in a sentence": f'"{LAKE}", "{THAW}" and "{BLOOM}"',
    "labels": f"State 1: {LAKE}\nState 2: {THAW}\nState 3: {BLOOM}",
    "labels of a total": f"Scene 1/3: {LAKE}\nScene 2/3: {THAW}\nScene 3 of 3: {BLOOM}",
    "labels with a dash": f"State 1 - {LAKE}\nStage 2 – {THAW}\nKey Frame 3: {BLOOM}",
    "bold labels": f"**State 1:** {LAKE}\n**State 2**: {THAW}\n**State 3:** {BLOOM}",
    "numbered labels": f"1. **State 1**: {LAKE}\n2. **State 2**: {THAW}\n3. **State 3**: {BLOOM}",
    "bare labels": f"State 1:\n{LAKE}\n\nState 2:\n\n{THAW}\nState 3:\n{BLOOM}",
    "headings": f"### State 1\n{LAKE}\n\n### State 2\n\n{THAW}\n\n### State 3\n{BLOOM}\n\nI hope this helps!",
    "bare labels with bullets": f"State 1:\n  - {LAKE}\nState 2:\n  - {THAW}\nState 3:\n  - {BLOOM}",
    "frames that only count": f"Frame 1: {LAKE}\nFrame 2: {THAW}\nFrame 3: {BLOOM}",
    "named prompts": f"1. Prompt: {LAKE}\n2. Prompt: {THAW}\n3. **Prompt:** {BLOOM}",
    "one a line": PLAIN,
    "one a line, italics": f"*{LAKE}*\n*{THAW}*\n_{BLOOM}_",
    "one a line, chatter": f"Sure, here are the three states:\n{PLAIN}\nLet me know if you need more.",
    "chatter around a list": f"Certainly! I split it.\n\n1. {LAKE}\n2. {THAW}\n3. {BLOOM}\nFeel free to ask for changes!",
    "a title": f"**Winter to Spring**\n\n1. {LAKE}\n2. {THAW}\n3. {BLOOM}",
    "rules": f"---\n1. {LAKE}\n***\n2. {THAW}\n---\n3. {BLOOM}",
    "fenced": f"Here you go:\n```text\n{PLAIN}\n```\nAnything else?",
    "fenced list": f"```\n1. {LAKE}\n2. {THAW}\n3. {BLOOM}\n```",
    "thoughts": f"<think>\n1. A lake?\n2. No.\n</think>\n\n1. {LAKE}\n2. {THAW}\n3. {BLOOM}",
    "thoughts begun by the template": f"Let me see: 1. no\n</think>\n{PLAIN}",
    "JSON strings": json.dumps([LAKE, THAW, BLOOM]),
    "JSON strings with numbers": json.dumps([f"1. {LAKE}", f"2. {THAW}", f"3. {BLOOM}"]),
    "JSON in a fence": f"Here is the JSON:\n```json\n{json.dumps([LAKE, THAW, BLOOM], indent=2)}\n```\nDone.",
    "JSON objects": json.dumps({"states": [{"state": i, "description": t} for i, t in enumerate((LAKE, THAW, BLOOM), 1)]}),
    "JSON objects, prompt repeated": json.dumps({"prompt": "a lake", "states": [{"Text": t} for t in (LAKE, THAW, BLOOM)]}),
    "JSON objects, unknown name": json.dumps([{"id": 1, "picture": t} for t in (LAKE, THAW, BLOOM)]),
    "JSON numbers": json.dumps({"1": LAKE, "2": THAW, "3": BLOOM}),
    "JSON labels": json.dumps({"state_1": LAKE, "state_2": THAW, "state_3": BLOOM}),
    "JSON frames that only count": json.dumps([{"frame": i, "prompt": t} for i, t in enumerate((LAKE, THAW, BLOOM))]),
}
PLACED = {
    "seconds": TIMED,
    "seconds, spaces": f"0 s: {LAKE}\n2 s : {THAW}\n4s:{BLOOM}",
    "seconds in words": f"0 seconds: {LAKE}\n2 seconds: {THAW}\n4 secs - {BLOOM}",
    "seconds, the word first": f"Second 0: {LAKE}\nSecond 2: {THAW}\nSeconds 4-6: {BLOOM}",
    "seconds in a phrase": f"At 0 seconds, {LAKE}\nAt 2 seconds, {THAW}\nAt 4 seconds, {BLOOM}",
    "seconds as t": f"t=0s: {LAKE}\nt = 2s: {THAW}\nt=4.0s: {BLOOM}",
    "ranges": f"0-2 s: {LAKE}\n2s–4s: {THAW}\n4 to 6 seconds: {BLOOM}",
    "clock": f"0:00 - {LAKE}\n0:02 – {THAW}\n00:04: {BLOOM}",
    "clock in brackets": f"[0:00] {LAKE}\n[0:02 - 0:04] {THAW}\n[00:00:04]: {BLOOM}",
    "numbered": f"1. 0s: {LAKE}\n2. 2s: {THAW}\n3. 4s: {BLOOM}",
    "bold": f"- **0s:** {LAKE}\n- **2s**: {THAW}\n- **4s:** {BLOOM}",
    "labels": f"**State 1 (0-2s):** {LAKE}\n**State 2 (2-4s):** {THAW}\n**State 3 (4-6s):** {BLOOM}",
    "frames with seconds": f"Frame 1 (0.0s): {LAKE}\nFrame 2 (2.0s): {THAW}\nFrame 3 (4.0s): {BLOOM}",
    "places on lines of their own": f"0-2s:\n{LAKE}\n\n2-4s:\n{THAW}\n\n4-6s:\n{BLOOM}",
    "places at the end": f"1. {LAKE[:-1]} (0s)\n2. {THAW[:-1]} (2s)\n3. {BLOOM[:-1]} (4s)",
    "table": f"| Time | Description |\n|---|---|\n| 0s | {LAKE} |\n| 2s | {THAW} |\n| 4s | {BLOOM} |",
    "bare numbers": f"0: {LAKE}\n2: {THAW}\n4: {BLOOM}",
    "quotes": f'0s: "{LAKE}"\n2s: "{THAW}"\n4s: “{BLOOM}”',
    "JSON object": json.dumps({"0s": LAKE, "2s": THAW, "4s": BLOOM}),
    "JSON object, bare numbers": json.dumps({"0": LAKE, "2": THAW, "4": BLOOM}),
    "JSON object inside": json.dumps({"synopsis": {"0-2s": LAKE, "2-4s": THAW, "4-6s": BLOOM}}),
    "JSON objects": json.dumps([{"time": i, "text": t} for i, t in zip((0, 2.0, 4), (LAKE, THAW, BLOOM), strict=True)]),
    "JSON objects, times as text": json.dumps(
        [{"Time": i, "Prompt": t} for i, t in zip(("0-2 s", "0:02", "4"), (LAKE, THAW, BLOOM), strict=True)]
    ),
    "JSON lines": "\n".join(
        json.dumps({"frame": i, "start": i * 2, "end": i * 2 + 2, "caption": t}) for i, t in enumerate((LAKE, THAW, BLOOM))
    ),
    "JSON strings": json.dumps([f"0s: {LAKE}", f"2s: {THAW}", f"4s: {BLOOM}"]),
}


def read(answer):
    return format_key_prompts(parse_synopsis(answer).prompts)


def without_ends(text):
    """Without full stops: an answer with its places at the end of the lines has none."""
    return text.replace(".\n", "\n").removesuffix(".")


@pytest.mark.parametrize("style", UNPLACED)
def test_answers_without_places(style):
    assert read(UNPLACED[style]) == PLAIN


@pytest.mark.parametrize("style", PLACED)
def test_answers_with_places(style):
    expected = without_ends(TIMED) if style == "places at the end" else TIMED
    assert read(PLACED[style]) == expected


@pytest.mark.parametrize(
    "answer,expected",
    [
        ("25%: a lake\n75 percent: a thaw", "25%: a lake\n75%: a thaw"),
        ("frame 8: a lake\nframes 16-24: a thaw", "f8: a lake\nf16: a thaw"),
        ("Frame 0: a lake\nFrame 40: a thaw", "f0: a lake\nf40: a thaw"),
        ('[{"percent": 0, "text": "a lake"}, {"percent": 100, "text": "a thaw"}]', "0%: a lake\n100%: a thaw"),
        ("1. Winter (0-2s): a lake\n2. Spring (2-4s): a thaw", "0s: Winter: a lake\n2s: Spring: a thaw"),
        (
            "1. **Winter**\n   - a frozen lake\n   - snow\n2. **Spring**\n   - a thaw",
            "Winter: a frozen lake, snow\nSpring: a thaw",
        ),
        ("### State 1: Winter\na lake\n### State 2: Spring\na thaw", "Winter: a lake\nSpring: a thaw"),
        ("1. 3D render of 2 cats: one black\n2. 16:9 still", "3D render of 2 cats: one black\n16:9 still"),
        ("- a (red:1.2) lake\n- a [thaw]", "a (red:1.2) lake\na [thaw]"),
        ('["say \\"hello\\",\\nslowly", "wave"]', 'say "hello", slowly\nwave'),
        ("1. It's winter\n2. 'Tis spring", "It's winter\n'Tis spring"),
        ("Great dunes at dawn\nGreat dunes at dusk", "Great dunes at dawn\nGreat dunes at dusk"),
        ("a lake", "a lake"),
        ("[0-2s] State 1: a lake\n[2-4s] State 2: a thaw", "0s: a lake\n2s: a thaw"),
        ("[0:00] a lake\n[1:30] a thaw\n[1:00:00] a flood", "0s: a lake\n90s: a thaw\n3600s: a flood"),
        ("State 1:\na lake\nunder snow\n\nIce breaks.\n\nState 2: a thaw", "a lake under snow\na thaw"),
        ("**State 1: a lake**\n**State 2: a thaw**\n\nLet me know!", "a lake\na thaw"),
        ("1. **A lake**\n2. **A thaw**\n\nLet me know!", "A lake\nA thaw"),
    ],
)
def test_less_usual_answers(answer, expected):
    assert read(answer) == expected


@pytest.mark.parametrize(
    "answer,said",
    [
        ("", "got none"),
        ("Sure, here are the states:", "got none"),
        ("<think>\nfirst, a lake", "thoughts that were cut off"),
        ('Sure:\n["a lake",\n "a thaw', "line 3.*max_length"),
        ('[\n{"time": 0, "text": "a"},\n{"time": 2 "text": "b"}]', "wrong in line 3"),
        ('[{"time": "dawn", "text": "a"}]', r'a time such as 2 or 0:02 in entry 1, but got "dawn"'),
        ('[{"time": true, "text": "a"}]', "got true"),
        ('["a", {"time": 2}]', 'a text in entry 2.*got {"time": 2}'),
        ('["a", 2]', "got 2 as entry 2"),
        ('[{"time": -2, "text": "a"}]', "got -2 in entry 1"),
        ("Sure!\n0s: a\n-1s: b", "got -1 in line 3"),
        ("0s:\n2s: b", "a prompt in line 1"),
        ("State 1: a\nState 2:", "a prompt in line 2"),
        ("0s: a\n2s: b\n1s: c", "got line 3 at 1s after 2s"),
        ("0s: a\n0s: b", "got line 2 at 0s after 0s"),
        ("0s: a\n- b", "got line 2 without one"),
        ("0s: a\n50%: b", "got line 2 in percent after seconds"),
        ("20%: a\n120%: b", "got 120 in line 2"),
        ('["0s: a", "b"]', "got entry 2 without one"),
    ],
)
def test_mistakes_are_named_by_line(answer, said):
    with pytest.raises(TemporalAttentionError, match=f"(?s){said}"):
        parse_synopsis(answer)


def test_lines_keep_their_numbers_after_thoughts():
    with pytest.raises(TemporalAttentionError, match="got line 5 at 0s after 2s"):
        parse_synopsis("<think>\nhm\n</think>\n2s: a\n0s: b")


def test_what_is_left_out_is_reported():
    synopsis = parse_synopsis("Sure!\n\n1. 0s: a lake\nThen the ice breaks.\n2. 2.5s: a thaw\n\nEnjoy!")
    assert synopsis.left_out == ("Sure!", "Then the ice breaks.", "Enjoy!")
    assert synopsis_report(synopsis).splitlines() == [
        "2 key prompts, at 0s, 2.5s", "left out: Sure!", "left out: Then the ice breaks.", "left out: Enjoy!",
    ]  # fmt: skip
    assert synopsis_report(parse_synopsis("a lake")) == "1 key prompt, without places: spread evenly"


@pytest.mark.parametrize("style", [*UNPLACED, *PLACED])
def test_every_answer_is_read_back_as_it_is_written(style):
    answer = {**UNPLACED, **PLACED}[style]
    prompts = parse_synopsis(answer).prompts
    assert parse_key_prompts(format_key_prompts(prompts)) == prompts


@pytest.mark.parametrize("states,count", [(4, "4 key states"), (1, "1 key state,"), (0, "as few key states as")])
@pytest.mark.parametrize("seconds", [0.0, 5.06])
def test_the_instruction_asks_in_a_form_that_can_be_read(states, count, seconds):
    text = synopsis_instruction(" a lake,\n from winter to spring ", states, seconds)
    assert count in text and text.endswith("Video prompt: a lake, from winter to spring")
    assert ("5.06s:" in text) == bool(seconds)
    example = text.split("\n\n")[3].splitlines()[2:]
    prompts = parse_synopsis("\n".join(example)).prompts
    assert len(prompts) == 3 and all("candle" in prompt.text and prompt.text[0] == "A" for prompt in prompts)
    assert [prompt.place and prompt.place.value for prompt in prompts] == ([0, 3, 6] if seconds else [None] * 3)


@pytest.mark.parametrize(
    "prompt,seconds,said", [(" \n", 0.0, "an empty text"), ("a", -1.0, "got -1"), ("a", float("nan"), "nan")]
)
def test_an_instruction_about_nothing_is_refused(prompt, seconds, said):
    with pytest.raises(TemporalAttentionError, match=said):
        synopsis_instruction(prompt, 4, seconds)
