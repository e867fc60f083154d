"""The entropy profile: what the recorder keeps, how it is averaged, and its pictures and words."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawings import keep_figures
from events import COND, UNCOND
from reference import double
from test_measure_views import check
from test_pattern_entropy import ALL_ROWS, attention, dense

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import CallNotes, Site, Step
from pack.py.core.intervention import Where
from pack.py.core.trace import Record, Trace, to_records
from pack.py.measures.change import Change, Pictured, change
from pack.py.measures.sweep import GROUPS, Item, Sweep, groups, items
from pack.py.records.entropy_profile import EntropyProfile, energy_percent, entropy_percent, main_profile, profiles_of
from pack.py.techniques.pattern import SQUARE, identity
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.views import entropy_charts, sweep_chart
from pack.py.views.blocks import block_list
from pack.py.views.entropy_report import entropy_report
from pack.py.views.sweep_report import sweep_report

EVERYWHERE = Where(kinds=SQUARE | {"cross"})
FRAMES = {"h_row", "rho", "frames"}


@pytest.fixture
def drawings(monkeypatch):
    """Every Figure that is drawn, kept for inspection."""
    return keep_figures(monkeypatch, entropy_charts, sweep_chart)


def dense_output(call):
    """A V of a call in float64: of every video row."""
    q, k, v = (x.double() for x in (call.q, call.k, call.v))
    return torch.softmax(q @ k.mT * call.scale, -1) @ v


# What is recorded


@pytest.mark.parametrize("kind", ["self", "joint", "temporal", "spatial", "cross"])
def test_notes(kind):
    call = attention(kind)
    out = torch.randn(call.q.shape, generator=torch.Generator().manual_seed(3))
    seen = replace(call, out=out)
    notes = FrameAttentionRecorder(entropy_rows=10**6, where=EVERYWHERE).seen(seen, seen)
    found = {note.name: note.value for note in notes}
    assert set(found) == {"entropy", "energy"} | (FRAMES if kind not in ("spatial", "cross") else set())
    assert torch.equal(found["entropy"], ALL_ROWS.measure(call))
    video = call.forward.grid.video
    rows = double(out[:, :, video])
    wanted = [rows, np.broadcast_to(dense(call)[1], rows.shape), double(identity(call)) if kind != "cross" else rows * np.nan]
    energies = np.stack([np.square(x).sum((1, 2, 3)) for x in wanted], -1)
    np.testing.assert_allclose(double(found["energy"]), energies, rtol=1e-5)


def test_no_rows_record_no_entropy():
    call = replace(attention("self"), out=torch.zeros(2, 2, 29, 5))
    assert {note.name for note in FrameAttentionRecorder().seen(call, call)} == FRAMES
    with pytest.raises(TemporalAttentionError, match="at least 0 for entropy_rows"):
        FrameAttentionRecorder(entropy_rows=-1)


def test_energy_is_that_of_the_kernel_and_entropy_that_of_the_model():
    """An edit of q changes what the kernel answers, but not what the model asked."""
    call = replace(attention("self"), out=torch.ones(2, 2, 29, 5))
    edited = call.edit(q=3 * call.q, out=2 * call.out)
    (one, other) = ({n.name: n.value for n in FrameAttentionRecorder(entropy_rows=8).seen(call, e)} for e in (call, edited))
    assert torch.equal(one["entropy"], other["entropy"]) and torch.equal(4 * one["energy"][:, 0], other["energy"][:, 0])


@pytest.mark.parametrize("gain,low,high", [(0.0, 0.0, 1e-3), (300.0, 50.0, 120.0)])
def test_place_of_the_energy(gain, low, high):
    """A flat pattern has the energy of the uniform one; a peaked one that of single values."""
    call = attention("self", gain=gain)
    seen = replace(call, out=dense_output(call).float())
    notes = FrameAttentionRecorder(entropy_rows=8).seen(seen, seen)
    (record, _) = to_records([CallNotes(call.site, call.forward, [n for n in notes if n.name in ("entropy", "energy")])])
    assert low - 1e-3 <= energy_percent(record) <= high
    assert (entropy_percent(record) == pytest.approx(100)) == (gain == 0)


# What is made of it


def record(block, entropy, kind="self", step=0, branch=COND, energy=(2.0, 1.0, 5.0), blocks=4):
    keys = "text" if kind == "cross" else "video"
    values = {"entropy": np.array([entropy - 0.1, entropy + 0.1], np.float32), "energy": np.array(energy, np.float32)}
    return Record(Step(step, 9, 1.0, 0.0, 1.0), Site(block, blocks, kind, keys), branch, 0, None, values)


def profile(*entropies, name="self-attention"):
    return EntropyProfile(name, dict(enumerate(entropies)), {}, 0, 0)


def test_means_over_steps_branches_and_heads_by_kind():
    records = [
        *(record(b, e, step=s) for b, e in enumerate((0.8, 0.4)) for s in (0, 1)),
        record(0, 0.6, branch=UNCOND),
        record(0, 0.5, "cross", energy=(2.0, 1.0, np.nan)),
        record(1, 0.3, step=5, energy=(9.0, 1.0, 5.0)),
    ]
    found = profiles_of(Trace("Tiny", 4, records))
    assert list(found) == ["self-attention", "cross-attention to text"]
    main = main_profile(found)
    assert main.entropy == pytest.approx({0: 100 * 2.2 / 3, 1: 100 * 1.1 / 3}) and (main.highest, main.lowest) == (0, 1)
    assert main.energy == pytest.approx({0: 25.0, 1: 250 / 3}) and (main.outside, main.calls) == (1, 6)
    assert not found["cross-attention to text"].energy and found["cross-attention to text"].calls == 0
    early = profiles_of(Trace("Tiny", 4, records), frozenset({0}), COND)["self-attention"]
    assert early.entropy == pytest.approx({0: 80.0, 1: 40.0}) and early.mean == pytest.approx(60.0)


def test_spatial_and_temporal_layers_stay_apart():
    found = profiles_of(Trace("UNet", 2, [record(0, 0.9, "spatial"), record(0, 0.2, "temporal"), record(1, 0.3, "temporal")]))
    assert list(found) == ["temporal attention", "spatial attention"]
    assert main_profile(found).name == "temporal attention" and main_profile(found).highest == 1


def test_rows_with_one_key_have_no_entropy():
    with pytest.raises(TemporalAttentionError, match="entropy_rows of Trace Attention"):
        profiles_of(Trace("Tiny", 4, [record(0, np.nan)]))


@pytest.mark.parametrize("wanted", [{"steps": frozenset({7})}, {"branch": UNCOND}])
def test_nothing_recorded_says_what_to_do(wanted):
    with pytest.raises(TemporalAttentionError, match="choose steps that were recorded"):
        profiles_of(Trace("Tiny", 4, [record(0, 0.5)]), **wanted)


def test_halves():
    assert profile(10, 40, 30, 20).halves == ({1, 2}, {0, 3})
    assert profile(10, 40, 30).halves == ({1, 2}, {0}), "the middle one is in the higher half"
    assert profile(50).halves == ({0}, frozenset())


LISTS = [((0, 1, 2, 5), "0-2, 5"), ((7,), "7"), ((), ""), ((3, 1), "1, 3"), ((4, 5), "4-5"), ((9, 7, 8), "7-9")]


@pytest.mark.parametrize("blocks,text", [*LISTS, ((1, 3, 4), "1, 3-4")])
def test_block_lists(blocks, text):
    assert block_list(blocks) == text


def test_report_names_the_numbers_and_the_lists():
    found = profiles_of(Trace("Tiny", 4, [record(b, e) for b, e in enumerate((0.8, 0.4, 0.7, 0.6))]))
    text = entropy_report(found, "Tiny, 4 blocks")
    assert "higher half: 0, 2\nlower half: 1, 3" in text and "0 of 4 calls" in text and "close to the identity" not in text
    rows = [line.split() for line in text.splitlines()]
    assert ["0", "80.0", "25.0", "highest"] in rows and ["1", "40.0", "25.0", "lowest"] in rows and ["2", "70.0", "25.0"] in rows
    low = entropy_report(profiles_of(Trace("Tiny", 4, [record(0, 0.2), record(1, 0.45)])), "Tiny")
    assert "below 50 %" in low and "drastic" in low


# Pictures


def traced(blocks, steps, kinds):
    random = np.random.default_rng(0)
    made = [
        record(b, random.uniform(0.3, 0.9), kind, s, blocks=blocks, energy=(2.0, 1.0, np.nan if kind == "cross" else 5.0))
        for b in range(blocks)
        for s in range(steps)
        for kind in kinds
    ]
    return Trace("Wan", blocks, made)


@pytest.mark.parametrize("blocks,steps,kinds", [
    (1, 1, ["self"]), (6, 20, ["self", "cross"]), (30, 50, ["self", "cross"]), (60, 8, ["joint"]),
    (16, 25, ["temporal", "spatial"]),
])  # fmt: skip
def test_entropy_pictures_are_readable(blocks, steps, kinds, drawings):
    run = traced(blocks, steps, kinds)
    head = "Stable Video Diffusion, 60 blocks, cond and uncond (the newest traced run: no run returned this very latent)"
    for image in (entropy_charts.entropy_bars(profiles_of(run), head), entropy_charts.entropy_over_steps(run, None, head)):
        assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
    for drawing in drawings:
        check(drawing)


def test_the_bars_show_the_numbers(drawings):
    found = profiles_of(traced(5, 2, ["self"]))
    entropy_charts.entropy_bars(found, "")
    bars = [bar.get_height() for bar in drawings[0].axes[0].patches]
    assert bars == pytest.approx(list(found["self-attention"].entropy.values()))


def test_the_heatmap_shows_the_numbers(drawings):
    run = traced(4, 3, ["self", "cross"])
    entropy_charts.entropy_over_steps(run, None, "")
    shown = drawings[0].axes[1].images[0].get_array()
    kept = [r for r in run.records if r.site.kind == "cross"]
    np.testing.assert_allclose(shown.reshape(-1), [entropy_percent(r) for r in kept], rtol=1e-6)


# The sweep


def moving(shift=0, frames=5):
    clip = torch.zeros(frames, 32, 32, 3)
    for i in range(frames):
        clip[i, 8:16, 4 + (2 + shift) * i : 12 + (2 + shift) * i] = 0.8
    return clip


def test_change():
    latent = torch.randn(1, 4, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    before = Pictured(latent, [moving()])
    assert change(before, before) == Change(0.0, 1.0, 0.0)
    after = change(before, Pictured(1.5 * latent, [moving(1)]))
    assert after.energy == pytest.approx(25.0) and 0 < after.structure < 1 and after.motion == pytest.approx(50.0, abs=1)
    still = Pictured(latent, [moving(-2)])
    assert np.isnan(change(still, before).motion) and change(before, still).motion == -100


def test_items_are_blocks_then_groups():
    found = items(profile(10, 40, 30, 20), [1, 0], ["identity", "uniform"])
    assert [(i.group, set(i.blocks)) for i in found[::2]] == [
        ("block", {0}), ("block", {1}), ("higher entropy", {1, 2}), ("lower entropy", {0, 3}),
        ("first half", {0, 1}), ("last half", {2, 3}),
    ]  # fmt: skip
    assert {i.perturbation for i in found[1::2]} == {"uniform"} and len(found) == 12
    assert list(groups(profile(50))) == ["higher entropy", "first half"], "no empty groups"


def swept(blocks, perturbations=("identity", "uniform")):
    random = np.random.default_rng(1)
    entropies = profile(*random.uniform(30, 90, blocks))
    return entropies, Sweep(
        {i: Change(10 ** random.uniform(-3, 2), random.uniform(0.3, 1), random.uniform(-90, 300)) for i in
         items(entropies, range(blocks), perturbations)}
    )  # fmt: skip


@pytest.mark.parametrize("blocks", [1, 2, 6, 30, 60])
@pytest.mark.parametrize("perturbations", [("identity", "uniform"), ("uniform",)])
def test_sweep_pictures_are_readable(blocks, perturbations, drawings):
    _, sweep = swept(blocks, perturbations)
    image = sweep_chart.sweep_chart(sweep, "Wan, step 5 of 20 (sigma 0.9), self-attention")
    assert image.shape[2:] == (1024, 3)
    check(drawings[0])


def test_a_sweep_without_any_change_is_drawn(drawings):
    changes = {item: Change(0.0, 1.0, float("nan")) for item in items(profile(10, 20), [0, 1], ["uniform"])}
    sweep_chart.sweep_chart(Sweep(changes), "")
    check(drawings[0])


def test_the_sweep_chart_shows_the_numbers(drawings):
    _, sweep = swept(6)
    sweep_chart.sweep_chart(sweep, "")
    bars = [bar.get_height() for bar in drawings[0].axes[0].patches]
    assert bars == pytest.approx([sweep.singles(p)[b].energy for p in ("identity", "uniform") for b in range(6)])
    of_groups = [bar.get_height() for bar in drawings[0].axes[5].patches]
    assert of_groups == pytest.approx([sweep.groups(p)[g].motion for p in ("identity", "uniform") for g in GROUPS])


def test_the_sweep_report():
    entropies = profile(20.0, 60.0)
    sweep = Sweep({
        Item("block", frozenset({0}), "uniform"): Change(1.0, 0.9, -3.0),
        Item("block", frozenset({1}), "uniform"): Change(4.0, 0.95, float("nan")),
        Item("first half", frozenset({0, 1}), "uniform"): Change(9.0, 0.5, 12.0),
    })  # fmt: skip
    text = sweep_report(sweep, entropies, "Tiny, step 1 of 4")
    rows = [line.split() for line in text.splitlines()]
    assert ["0", "20.0", "uniform", "1.000", "0.900", "-3.0"] in rows and ["1", "60.0", "uniform", "4.000", "0.950", "-"] in rows
    assert "first half (0-1)                  40.0" in text
    assert "uniform: block 1 changes most, block 0 least; block 0 holds most structure" in text
