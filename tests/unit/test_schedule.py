"""Schedules as text: the vectors that the editor's JavaScript is held to as well, and everything in between."""

import json
import random
from pathlib import Path

import pytest
import torch
from naive_curves import naive_curve

from pack.py.core.errors import TemporalAttentionError
from pack.py.maths.onsets import RATE
from pack.py.prompts.curves import INTERPOLATIONS, UNITS, Clip, Keyframes, Onsets, Point, Samples
from pack.py.prompts.schedule import BARE, Line, Schedule, parse_schedule
from pack.py.prompts.tempo import Tempo, Track

VECTORS = json.loads((Path(__file__).parents[1] / "schedule_vectors.json").read_text(encoding="utf-8"))


def numbered(vectors):
    return [pytest.param(vector, id=f"{i}: {vector['text'][:24]!r}") for i, vector in enumerate(vectors)]


def format_schedule(schedule):
    """The one text of a schedule, which the editor writes too."""
    return "\n".join(map(written, schedule.lines))


def written(line):
    plain = BARE.fullmatch(line.phrase)
    escaped = line.phrase.replace("\\", "\\\\").replace('"', '\\"')
    words = line.phrase if plain else f'"{escaped}"'
    option = f" [{line.interpolation}]" if line.interpolation else ""
    points = f": {', '.join(map(str, line.points))}" if line.points else ""
    return f"{words}{option}{points}"


def structure(schedule):
    return [
        {
            "phrase": line.phrase,
            "interpolation": line.interpolation,
            "points": [[point.place, point.unit, point.value] for point in line.points],
        }
        for line in schedule.lines
    ]


@pytest.mark.parametrize("vector", numbered(VECTORS["good"]))
def test_good_text(vector):
    schedule = parse_schedule(vector["text"])
    assert structure(schedule) == vector["lines"]
    assert format_schedule(schedule) == vector["formatted"]
    assert parse_schedule(vector["formatted"]) == schedule


@pytest.mark.parametrize("vector", numbered(VECTORS["good"]))
def test_curves_and_masks_of_good_text(vector):
    clip = Clip(vector["latent_frames"], vector["compression"])
    tempo = parse_schedule(vector["text"]).tempo(vector["fps"], vector["interpolation"])
    for track, curve in zip(tempo.tracks, vector["curves"], strict=True):
        assert track.curve.at_frames(clip).tolist() == pytest.approx(curve, abs=1e-8)
    masks = tempo.masks(clip)
    assert masks.dtype == torch.float32
    torch.testing.assert_close(masks, torch.tensor(vector["masks"]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("vector", numbered(VECTORS["good"]))
def test_the_vectors_themselves(vector):
    """Held to exact fractions, so that no bug of ours became a vector."""
    for line, curve, mask in zip(vector["lines"], vector["curves"], vector["masks"], strict=True):
        interpolation = line["interpolation"] or vector["interpolation"]
        exact = naive_curve(line["points"], interpolation, vector["fps"], vector["latent_frames"], vector["compression"])
        assert (curve, mask) == (pytest.approx(exact[0], abs=1e-8), pytest.approx(exact[1], abs=1e-8))


@pytest.mark.parametrize("vector", numbered(VECTORS["bad"]))
def test_bad_text_is_refused_where_it_is_wrong(vector):
    with pytest.raises(TemporalAttentionError) as error:
        parse_schedule(vector["text"])
    if vector["line"]:
        assert f"(line {vector['line']}, column {vector['column']})" in str(error.value)


def random_schedule(chance):
    """Any schedule that the grammar can hold."""
    letters = 'ab c:,=[]#"\\é猫'
    phrases = {f"p{i}" + "".join(chance.choices(letters, k=6)) for i in range(chance.randint(1, 4))}
    lines = []
    for phrase in sorted({" ".join(phrase.split()) for phrase in phrases}):
        unit = chance.choice(UNITS)
        places = sorted({round(chance.uniform(0, 100), chance.randint(0, 6)) for _ in range(chance.randint(0, 4))})
        points = tuple(Point(place, unit, round(chance.random(), chance.randint(0, 6))) for place in places)
        lines.append(Line(phrase, points, chance.choice((None, *INTERPOLATIONS)) if points else None))
    return Schedule(tuple(lines))


@pytest.mark.parametrize("seed", range(200))
def test_whatever_is_written_is_read_back(seed):
    schedule = random_schedule(random.Random(seed))
    assert parse_schedule(format_schedule(schedule)) == schedule


@pytest.mark.parametrize("seed", range(60))
def test_curves_against_exact_fractions(seed):
    chance = random.Random(seed)
    fps, clip = round(chance.uniform(5, 60), 3), Clip(chance.randint(2, 30), chance.randint(1, 8))
    unit = chance.choice(UNITS)
    limit = {"": clip.frames, "s": 1.2 * clip.frames / fps, "%": 100}[unit]
    places = sorted({round(chance.uniform(0, limit), 2) for _ in range(5)})
    points = [(place, unit, round(chance.random(), 3)) for place in places]
    for interpolation in INTERPOLATIONS:
        curve = Keyframes(tuple(Point(*point) for point in points), interpolation, fps)
        values, mask = naive_curve(points, interpolation, fps, clip.latent_frames, clip.compression)
        assert curve.at_frames(clip).tolist() == pytest.approx(values, abs=1e-6)
        assert curve.mask(clip).tolist() == pytest.approx(mask, abs=1e-6)


def test_a_latent_frame_holds_its_video_frames():
    """Wan: frame 0 alone, then 1-4, 5-8, ...; "on from frame 6" reaches three quarters of latent frame 2."""
    mask = parse_schedule("cat: 0=0, 6=1").tempo(16, "hold").masks(Clip(4, 4))
    assert mask.tolist() == [[0, 0, 0.75, 1]]


def test_what_lies_past_the_end_is_said_and_cut_not_moved():
    tempo = parse_schedule("cat [linear]: 0=0, 4s=1\ndog: 1s=1").tempo(16, "hold")
    assert tempo.cut(Clip(21, 4)) == [] and tempo.masks(Clip(9, 4))[0, -1] < 0.5
    (said,) = tempo.cut(Clip(9, 4))
    assert said == "cat: 4s=1 lies past the end and is never reached (the last video frame is 32, at 2 s)"


@pytest.mark.parametrize("text", ["cat: 1s=0, 10=1", "cat: 50%=0, 16=1"])
def test_places_of_several_units_must_rise_in_the_clip(text):
    tempo = parse_schedule(text).tempo(16, "hold")
    with pytest.raises(TemporalAttentionError, match=r"=1 \(frame 1[06]\) after .*=0 \(frame 16\) in a clip of 33 frames at 16"):
        tempo.masks(Clip(9, 4))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_frame_rate_must_be_one(fps):
    with pytest.raises(TemporalAttentionError, match="frame rate above 0"):
        parse_schedule("cat").tempo(fps, "hold")


def test_unknown_interpolation():
    with pytest.raises(TemporalAttentionError, match="'cubic'"):
        parse_schedule("cat: 0=1").tempo(16, "cubic")


def test_a_phrase_may_stand_in_one_track_only():
    tempo = parse_schedule("cat").tempo(16, "hold")
    with pytest.raises(TemporalAttentionError, match="'cat' twice"):
        Tempo((*tempo.tracks, Track("Cat", Samples((0.0, 1.0)))))
    with pytest.raises(TemporalAttentionError, match="an empty one"):
        Tempo(())


@pytest.mark.parametrize("clip", [Clip(9, 4), Clip(1, 4), Clip(2, 1)])
def test_samples_span_the_clip(clip):
    values = Samples((-1.0, 0.5, 2.0)).at_frames(clip).tolist()
    x = [i / max(1, clip.frames - 1) for i in range(clip.frames)]
    assert values == pytest.approx([v if v <= 1 else 1 for v in x], abs=1e-9)


def test_onsets_follow_the_clock():
    """A sound at 1.5 s of a clip at 16 a second begins in video frame 24, which latent frame 6 holds (21 to 24)."""
    strength = torch.zeros(round(65 / 16 * RATE))
    strength[round(1.5 * RATE) + 1] = 3.0
    onsets = Onsets(strength, 16.0)
    assert onsets.at_frames(Clip(9, 4)).argmax() == 24 and onsets.mask(Clip(9, 4)).argmax() == 6
    assert onsets.mask(Clip(9, 4))[6] == 1 and onsets.mask(Clip(9, 4)).dtype == torch.float32
    assert "sound lasts 4.06 s" in onsets.cut(Clip(9, 4)) and onsets.cut(Clip(9, 4)).endswith("its rest is not used")
    assert onsets.cut(Clip(33, 4)).endswith("the rest counts as silence") and onsets.cut(Clip(17, 4)) == ""
    assert not onsets.mask(Clip(3, 4)).any(), "silent until then"


@pytest.mark.parametrize("curve", [Keyframes(), Samples((0.25, 1.0)), Onsets(torch.ones(99), 16.0)])
def test_a_still_has_one_frame(curve):
    assert len(curve.at_frames(Clip(1, 4))) == 1 and curve.mask(Clip(1, 4)).isfinite().all()
