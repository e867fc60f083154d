"""Profiles of massive activations: made from a trace, read for channels and blocks, averaged, saved, loaded, refused."""

import json

import numpy as np
import pytest
from events import COND, UNCOND
from safetensors.numpy import save_file

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Site, Step
from pack.py.core.trace import Record, Trace
from pack.py.records import profile_file
from pack.py.records.findings import candidates, massive_channels, weak_channels
from pack.py.records.massive_trace import chosen_steps, profile_of, records_of
from pack.py.records.profile import MassiveProfile

BLOCKS, HIDDEN = 6, 512


def peaks(planted=(), seed=0, hidden=HIDDEN):
    values = np.random.default_rng(seed).uniform(0.8, 1.2, hidden).astype(np.float32)
    for channel, value in dict(planted).items():
        values[channel] = value
    return values


def profile(by_block=None, family="Tiny", blocks=BLOCKS, rows=2):
    by_block = by_block or {block: peaks({77: 200.0, 8: 30.0} if block >= 3 else {}, block) for block in range(blocks)}
    return MassiveProfile(family, blocks, by_block, rows, "step 5 of 50")


def record(block, step, branch, values, total=50):
    site, when = Site(block, BLOCKS, "self"), Step(step, total, 1 - step / total, step / total, 1 - step / total)
    return Record(when, site, branch, 0, None, {"peaks": np.asarray(values, np.float32)})


def trace(steps, total=50):
    records = [
        record(b, s, branch, np.full(4, 100 * s + 10 * b + (branch is COND)), total)
        for s in steps
        for b in range(2)
        for branch in (UNCOND, COND)
    ]
    return Trace("Tiny", BLOCKS, records)


# From a trace


@pytest.mark.parametrize(
    "first,last,total,expected", [(0, 49, 50, 5), (0, 19, 20, 2), (0, 3, 4, 0), (8, 29, 50, 8), (0, 2, 50, 2)]
)
def test_the_usual_step_is_the_recorded_one_nearest_to_a_tenth_into_the_run(first, last, total, expected):
    assert chosen_steps(trace(range(first, last + 1), total), None) == {expected}


def test_peaks_are_averaged_over_the_chosen_steps_and_rows():
    run = trace(range(10))
    both = profile_of(run, frozenset({2, 4}), None)
    assert both.peaks[1].tolist() == [310.5] * 4 and both.rows == 4 and both.measured == "steps 2-4 of 50"
    cond = profile_of(run, frozenset({3}), COND)
    assert cond.peaks[0].tolist() == [301.0] * 4 and cond.rows == 1 and cond.measured == "step 3 of 50"
    assert (both.family, both.blocks, both.hidden) == ("Tiny", BLOCKS, {0: 4, 1: 4})


def test_steps_that_were_not_recorded_are_named():
    with pytest.raises(TemporalAttentionError, match="steps 3-9"):
        profile_of(trace(range(3, 10)), frozenset({1}), None)
    with pytest.raises(TemporalAttentionError, match="no steps at all"):
        profile_of(Trace("Tiny", BLOCKS), None, None)
    only_cond = Trace("Tiny", BLOCKS, [r for r in trace(range(3)).records if r.branch is COND])
    with pytest.raises(TemporalAttentionError, match="branch"):
        records_of(only_cond, None, UNCOND)


# What follows from it


def test_findings_name_channel_block_and_ratios():
    found = profile()
    (strong,) = massive_channels(found)
    (weak,) = weak_channels(found)
    assert (strong.channel, strong.blocks) == (77, (3, 4, 5)) and (weak.channel, weak.blocks) == (8, (3, 4, 5))
    inside = found.peaks[strong.block].astype(np.float64)
    assert strong.peak == 200.0 and strong.to_mean == pytest.approx(200 / inside.mean(), rel=1e-5)
    assert strong.to_median == pytest.approx(200 / np.median(inside), rel=1e-5)
    assert strong.to_mean == max(200 / found.peaks[b].mean() for b in (3, 4, 5))


def test_a_channel_that_is_massive_somewhere_is_not_called_weak():
    found = profile({0: peaks({5: 20.0}), 1: peaks({5: 500.0})})
    assert [f.channel for f in massive_channels(found)] == [5] and not weak_channels(found)


def test_candidates_come_by_falling_ratio_whatever_they_are():
    found = profile({0: peaks({5: 20.0, 9: 10.0}), 1: peaks({5: 15.0, 200: 12.0})})
    assert [(f.channel, f.block) for f in candidates(found, 3)] == [(5, 0), (200, 1), (9, 0)]


@pytest.mark.parametrize("wanted,block", [(0, 3), (2, 3), (4, 4), (5, 5)])
def test_the_steered_block_is_the_nearest_one_with_massive_channels(wanted, block):
    assert profile().to_steer(wanted) == (block, (77,))


def test_several_massive_channels_come_by_falling_peak_and_none_is_none():
    found = profile({2: peaks({300: 900.0, 4: 1500.0}, hidden=2048)})
    assert found.to_steer(0) == (2, (4, 300))
    assert profile({0: peaks({5: 20.0})}).to_steer(0) is None


def test_averaging_weighs_by_rows():
    one, two = profile({0: np.ones(4, np.float32)}, rows=1), profile({0: np.full(4, 5, np.float32)}, rows=3)
    both = one.averaged_with(two)
    assert both.peaks[0].tolist() == [4.0] * 4 and both.rows == 4 and both.peaks[0].dtype == np.float32


def test_profiles_that_do_not_fit_are_refused():
    found = profile()
    with pytest.raises(TemporalAttentionError, match="Other, 6 blocks"):
        found.averaged_with(profile(family="Other"))
    with pytest.raises(TemporalAttentionError, match="same blocks"):
        found.averaged_with(profile({0: peaks()}))
    found.check_fits("Tiny", BLOCKS, dict.fromkeys(range(BLOCKS), HIDDEN))
    shapes = (("Wan", BLOCKS, HIDDEN), ("Tiny", 30, HIDDEN), ("Tiny", BLOCKS, 256))
    for family, blocks, hidden in shapes:
        said = f"this model .{family}, {blocks} blocks, hidden size {hidden}.*Tiny, 6 blocks, hidden size 512"
        with pytest.raises(TemporalAttentionError, match=said):
            found.check_fits(family, blocks, dict.fromkeys(range(blocks), hidden))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_peaks_that_are_no_peaks_are_refused(value):
    with pytest.raises(TemporalAttentionError, match="after block 1.*diverged"):
        profile({0: peaks(), 1: peaks({3: value})})
    with pytest.raises(TemporalAttentionError):
        profile({7: peaks()})
    with pytest.raises(TemporalAttentionError):
        profile(rows=0)


# Files


def test_a_saved_profile_comes_back(tmp_path):
    found = profile({1: peaks({77: 200.0}), 4: peaks(hidden=64)})
    path = tmp_path / "folder" / "my model.safetensors"
    profile_file.save(found, path)
    again = profile_file.load(path)
    for name in ("family", "blocks", "rows", "measured", "hidden"):
        assert getattr(again, name) == getattr(found, name), name
    assert all(np.array_equal(again.peaks[block], found.peaks[block]) for block in (1, 4))
    assert [p.name for p in path.parent.iterdir()] == [path.name], "nothing else is left in the folder"


def test_saving_again_replaces(tmp_path):
    path = tmp_path / "a.safetensors"
    profile_file.save(profile(), path)
    profile_file.save(profile({0: peaks()}), path)
    assert list(profile_file.load(path).peaks) == [0]


FACTS = {"version": 1, "family": "Tiny", "blocks": 6, "rows": 2, "measured": "step 5"}
WHOLE = {"block.0": np.ones(4, np.float32)}


def written(path, arrays=WHOLE, facts=FACTS, key=profile_file.KEY):
    save_file(arrays, path, {key: facts if isinstance(facts, str) else json.dumps(facts)})


def damaged(path, kind):
    """Writes a file that is no profile."""
    profile_file.save(profile(), path)
    whole = path.read_bytes()
    {
        "empty": lambda: path.write_bytes(b""),
        "cut off": lambda: path.write_bytes(whole[:-100]),
        "noise": lambda: path.write_bytes(bytes(range(256)) * 8),
        "without metadata": lambda: save_file({"lora_up.weight": np.ones((4, 4), np.float32)}, path),
        "other metadata": lambda: written(path, key="format"),
        "other arrays": lambda: written(path, {"weight": np.ones(4, np.float32)}),
        "no arrays": lambda: written(path, {}),
        "no JSON": lambda: written(path, facts="{"),
        "a list": lambda: written(path, facts="[]"),
        "later version": lambda: written(path, facts={**FACTS, "version": 2}),
        "more facts": lambda: written(path, facts={**FACTS, "colour": 1}),
        "blocks no number": lambda: written(path, facts={**FACTS, "blocks": "six"}),
        "peaks no vector": lambda: written(path, {"block.0": np.ones((2, 2), np.float32)}),
        "not finite": lambda: written(path, {"block.0": np.full(4, np.nan, np.float32)}),
    }[kind]()


KINDS = ("empty", "cut off", "noise", "without metadata", "other metadata", "other arrays", "no arrays", "no JSON", "a list")
KINDS += ("later version", "more facts", "blocks no number", "peaks no vector", "not finite")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_and_foreign_files_are_refused(tmp_path, kind):
    path = tmp_path / "mine.safetensors"
    damaged(path, kind)
    said = "mine.safetensors of version 2.*update the pack" if kind == "later version" else "mine.safetensors, which is damaged"
    with pytest.raises(TemporalAttentionError, match=said):
        profile_file.load(path)
