"""Key prompts as people write them, and where they lie among the latent frames."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from pack.py.core.errors import TemporalAttentionError
from pack.py.maths.text_mixture import mixture
from pack.py.prompts.key_places import Placement, key_places
from pack.py.prompts.key_prompts import KeyPrompt, Place, format_key_prompts, parse_key_prompts

VECTORS = json.loads((Path(__file__).parents[1] / "key_prompt_vectors.json").read_text(encoding="utf-8"))


def read(text):
    return [(p.text, p.place and (p.place.value, p.place.unit)) for p in parse_key_prompts(text)]


@pytest.mark.parametrize(
    "text,expected",
    [
        ("a lake", [("a lake", None)]),
        ("  a lake \n\n\ta thaw\r\n", [("a lake", None), ("a thaw", None)]),
        ("0s: a lake\n2.5s: a thaw", [("a lake", (0, "seconds")), ("a thaw", (2.5, "seconds"))]),
        ("0%: a\n50 % :b\n100%:c", [("a", (0, "percent")), ("b", (50, "percent")), ("c", (100, "percent"))]),
        ("f0: a\nF 8: b", [("a", (0, "frame")), ("b", (8, "frame"))]),
        (".5s: a\n1.S: b", [("a", (0.5, "seconds")), ("b", (1, "seconds"))]),
        ("0s: 1950s: a diner", [("1950s: a diner", (0, "seconds"))]),
        ("(a lake:1.2), 16:9 still", [("(a lake:1.2), 16:9 still", None)]),
        ("3D: a render\n2 cats: one black", [("3D: a render", None), ("2 cats: one black", None)]),
    ],
)
def test_what_is_read(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text,expected",
    [
        (r"\1950s: a diner", "1950s: a diner"),
        (r"\2: the sequel", "2: the sequel"),
        (r"\\1950s: a diner", r"\1950s: a diner"),
        (r"\(smile\) a portrait", r"\(smile\) a portrait"),
        (r"\a lake", r"\a lake"),
    ],
)
def test_a_backslash_is_taken_only_before_what_would_be_a_place(text, expected):
    assert read(text) == [(expected, None)]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: repr(vector["text"][:24]))
def test_vectors_that_the_editor_is_held_to(vector):
    prompts = parse_key_prompts(vector["text"])
    came = [{"text": p.text, "place": p.place and [p.place.value, p.place.unit]} for p in prompts]
    assert came == vector["prompts"]
    assert format_key_prompts(prompts) == vector["formatted"]
    assert parse_key_prompts(vector["formatted"]) == prompts
    places, _ = key_places(prompts, vector["latent_frames"], vector["compression"], vector["fps"])
    assert places == pytest.approx(vector["places"], abs=1e-8)
    read = [mixture(latent, places, vector["transition"]) for latent in range(vector["latent_frames"])]
    assert [first for first, _ in read] == [first for first, _ in vector["read"]]
    assert [share for _, share in read] == pytest.approx([share for _, share in vector["read"]], abs=1e-8)


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: repr(vector["text"][:24]))
def test_bad_vectors(vector):
    with pytest.raises(TemporalAttentionError) as error:
        parse_key_prompts(vector["text"])
    assert not vector["line"] or f"line {vector['line']}" in str(error.value)


def test_writing_and_reading_back_changes_nothing():
    chosen = random.Random(0)
    starts = [
        "",
        "12s: ",
        "f8: ",
        "2: ",
        "50%: ",
        "\\",
        "\\\\3s: ",
        "1:30: ",
        "frame 8: ",
        "-1s: ",
        "0-2s: ",
        "\\f1.8:",
        "1950s:",
    ]
    for _ in range(300):
        count = chosen.randint(1, 6)
        texts = [chosen.choice(starts) + chosen.choice(["a lake", "100% of it: x", "\\n", "é, ü: 3s"]) for _ in range(count)]
        unit, most = chosen.choice([(None, 0), ("frame", 1e4), ("seconds", 100.0), ("percent", 100.0)])
        values = sorted({round(chosen.uniform(0, most), chosen.randint(0, 5)) for _ in range(count)}) if unit else [None] * count
        prompts = tuple(
            KeyPrompt(text, None if value is None else Place(value, unit)) for text, value in zip(texts, values, strict=False)
        )
        assert parse_key_prompts(format_key_prompts(prompts)) == prompts


@pytest.mark.parametrize(
    "text,said",
    [
        ("", "key prompts, one per line, but got none"),
        (" \n\n", "got none"),
        ("0s: a\n\nb", "before every key prompt or none, but got line 3 without one"),
        ("a\n0s: b", "got line 2 with one"),
        ("0s: a\n0s: b", "got line 2 at 0s after 0s"),
        ("0s: a\n4s: b\n2s: c", "got line 3 at 2s after 4s"),
        ("0s: a\nf8: b", "one unit for all places, but got line 2 in frame after seconds"),
        ("-1s: a", r"at least 0 \(seconds\), but got -1 in line 1"),
        ("f-3: a", r"at least 0 \(frame\), but got -3 in line 1"),
        ("0%: a\n100.5%: b", "from 0 to 100 percent, but got 100.5 in line 2"),
        ("0s: a\n2s:  ", "a prompt after the place in line 2, but got nothing"),
        ("a\n2: b", "0s:, 50%: or f8:, but got line 2: '2: b'"),
        ("frame 8: b", "got line 1: 'frame 8: b'.*backslash"),
        ("0-2s: b", "got line 1: '0-2s: b'"),
        ("1:30: b", "got line 1"),
        ("2 seconds: b", "got line 1"),
    ],
)
def test_mistakes_are_named_by_line(text, said):
    with pytest.raises(TemporalAttentionError, match=said):
        parse_key_prompts(text)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_place_lies_in_the_video(value):
    with pytest.raises(TemporalAttentionError, match="at least 0"):
        Place(value, "seconds")


def middles(frames, compression):
    """The middle of the pixel frames that each latent frame covers, counted one by one."""
    covered = [[0]] + [[1 + (f - 1) * compression + i for i in range(compression)] for f in range(1, frames)]
    return [sum(pixels) / len(pixels) for pixels in covered]


@pytest.mark.parametrize("compression", [1, 4, 6, 8])
@pytest.mark.parametrize("frames", [1, 2, 9, 21])
def test_a_pixel_frame_lies_between_the_middles_of_what_latent_frames_cover(frames, compression):
    fps, pixels = 12.5, 1 + (frames - 1) * compression
    for pixel in range(pixels):
        expected = float(np.interp(pixel, middles(frames, compression), range(frames)))
        for place in (Place(pixel, "frame"), Place(pixel / fps, "seconds")):
            found, warning = key_places([KeyPrompt("a", place)], frames, compression, fps)
            assert found == pytest.approx((expected,)) and not warning
    assert expected == frames - 1, "the last pixel frame lies on the last latent frame"


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("frames", [1, 2, 9])
def test_without_places_they_are_spread_evenly_and_so_are_percents(count, frames):
    expected = np.linspace(0, frames - 1, count)
    plain = [KeyPrompt("a")] * count
    percents = [KeyPrompt("a", Place(100 * i / max(count - 1, 1), "percent")) for i in range(count)]
    for prompts in (plain, percents):
        found, warning = key_places(prompts, frames, 4, 16.0)
        assert found == pytest.approx(tuple(expected)) and not warning


def test_what_lies_past_the_end_is_moved_and_named():
    found, warning = key_places(parse_key_prompts("0s: a\n2.06s: b\n2.07s: c\n9s: d"), 9, 4, 16.0)
    assert found == (0.0, 8.0, 8.0, 8.0)
    assert "33 frames, 2.06 s at 16 fps" in warning and warning.endswith(": 2.07s, 9s")
    assert not key_places(parse_key_prompts("f33: a"), 9, 4, 16.0)[1], "frames counted from 1 are no mistake to warn of"
    assert key_places(parse_key_prompts("f34: a"), 9, 4, 16.0)[1].endswith(": f34")


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_fps_must_be_a_number_above_0(fps):
    with pytest.raises(TemporalAttentionError, match="more than 0 frames per second"):
        key_places(parse_key_prompts("a"), 9, 4, fps)
    with pytest.raises(TemporalAttentionError, match="more than 0 frames per second"):
        Placement(parse_key_prompts("a"), 4, fps)
