"""The recorder: row entropy, spectrum and mean frame attention of hand-made calls, before and after an edit."""

import numpy as np
import pytest
import reference
import torch
from events import measured
from reference import double, each_matrix

from pack.py.core.attention import Attention
from pack.py.core.events import Branch, CallNotes, Forward, Grid, Note, Site, Step
from pack.py.techniques.estimator import Estimator
from pack.py.techniques.record import FrameAttentionRecorder, HeadsKept
from pack.py.techniques.sth import SpectralTransportHomeostasis

NAMES = ["h_row", "spectrum", "frames"]
TOLERANCE = 1e-5
ESTIMATORS = {
    "same_position": Estimator(),
    "pooled": Estimator("pooled"),
    "exact, all rows": Estimator("exact", 4),
    "exact, two rows": Estimator("exact", 2),
}
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


def attention(frames=5, seed=0, start=3, extra=2, block=2, rows=(0, 1), dtype=torch.float32):
    grid = Grid(frames, 2, 2, tokens=start + 4 * frames + extra, start=start)
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(len(rows), 3, grid.tokens, 6, generator=generator) for _ in range(3))
    q = q * torch.tensor([0.5, 2.0])[: len(rows)].view(-1, 1, 1, 1) * torch.tensor([0.5, 1.0, 3.0]).view(3, 1, 1)
    forward = Forward(Step(4, 10, 0.9, 0.2, 0.9), grid, (Branch.UNCOND, Branch.COND), (0, 0))
    q, k, v = (x.to(dtype) for x in (q, k, v))
    return Attention(Site(block, 4, "self"), forward, q, k, v, None, 6**-0.5, lambda call: call.v, rows)


def recorded(*pairs, estimator=ESTIMATORS["same_position"], **settings):
    """The notes that a step with these (call, edited) pairs leaves, one dictionary a call."""
    recorder = FrameAttentionRecorder(estimator=estimator, **settings)
    seen = [[*call.notes, *recorder.seen(call, edited)] for call, edited in pairs]
    kept = recorder.digest([CallNotes(call.site, call.forward, notes) for (call, _), notes in zip(pairs, seen, strict=True)])
    return [{note.name: note for note in call.notes} for call in kept]


def equals(notes, wanted, prefix=""):
    expected = {"h_row": wanted.h_row, "spectrum": each_matrix(reference.spectrum, wanted.rho), "frames": wanted.matrix.mean(1)}
    for name, value in expected.items():
        got = notes[prefix + name].value
        assert got.dtype == torch.float32 and tuple(got.shape) == value.shape, name
        assert np.abs(double(got) - value).max() < TOLERANCE, name


@every_estimator
@pytest.mark.parametrize("frames", (2, 5, 9))
def test_notes_equal_the_reference(estimator, frames):
    call = attention(frames)
    (notes,) = recorded((call, call), estimator=estimator)
    equals(notes, measured(call, estimator))


@every_estimator
@pytest.mark.parametrize("changed", ("q", "k"))
def test_after_equals_the_reference_of_what_the_kernel_received(estimator, changed):
    call = attention()
    edited = call.edit(**{changed: 1.7 * getattr(call, changed)})
    (notes,) = recorded((call, edited), estimator=estimator)
    equals(notes, measured(call, estimator))
    equals(notes, measured(edited, estimator), "after.")
    assert not torch.equal(notes["frames"].value, notes["after.frames"].value)


def test_half_precision_is_measured_in_float32():
    call = attention(dtype=torch.bfloat16)
    (notes,) = recorded((call, call))
    equals(notes, measured(call, Estimator()))


def test_after_is_noted_only_where_q_or_k_changed():
    for changed in ({}, {"v": torch.zeros(2, 3, 25, 6)}, {"bias": torch.zeros(1, 1, 25, 25)}):
        call = attention()
        (notes,) = recorded((call, call.edit(**changed)))
        assert list(notes) == NAMES
    for name in "qk":
        call = attention()
        (notes,) = recorded((call, call.edit(**{name: 2 * getattr(call, name)})))
        assert set(notes) == {*NAMES, *("after." + name for name in NAMES)}


def test_spectrum_rises_and_sums_to_one():
    call = attention(9)
    (notes,) = recorded((call, call))
    spectrum = notes["spectrum"].value
    assert spectrum.shape == (2, 3, 9)
    assert (spectrum.diff() >= 0).all() and spectrum.min() > -TOLERANCE
    assert np.abs(double(spectrum).sum(-1) - 1).max() < TOLERANCE


def test_tension_can_be_had_from_the_notes():
    call = attention()
    (notes,) = recorded((call, call))
    h_vn = np.array([[reference.entropy(values) / np.log(5) for values in row] for row in double(notes["spectrum"].value)])
    assert np.abs(double(notes["h_row"].value) - h_vn - measured(call, Estimator()).tension).max() < 2 * TOLERANCE


def test_calls_of_one_step_keep_their_order_and_size():
    """Solved together, yet each call gets its own spectrum, also where the frame numbers differ."""
    calls = [attention(frames, seed=i, block=i) for i, frames in enumerate((5, 3, 5, 9, 3))]
    edits = [call.edit(q=(1 + 0.3 * i) * call.q) if i % 2 else call for i, call in enumerate(calls)]
    kept = recorded(*zip(calls, edits, strict=True))
    for call, edited, notes in zip(calls, edits, kept, strict=True):
        equals(notes, measured(call, Estimator()))
        if edited is not call:
            equals(notes, measured(edited, Estimator()), "after.")


def test_digest_keeps_site_forward_rows_and_the_notes_of_others():
    call = attention(rows=(1,))
    call.note("gamma", torch.tensor([1.25]))
    recorder = FrameAttentionRecorder()
    seen = recorder.seen(call, call)
    call.note("other", torch.eye(3)[None])
    before, after = call.notes[:1], call.notes[1:]
    (kept,) = recorder.digest([CallNotes(call.site, call.forward, [*before, *seen, *after])])
    assert kept.site == call.site and kept.forward is call.forward
    assert [note.name for note in kept.notes] == ["gamma", *NAMES, "other"]
    assert all(note.rows == (1,) and len(note.value) == 1 for note in kept.notes)
    assert kept.notes[0].value.item() == 1.25 and torch.equal(kept.notes[-1].value, torch.eye(3)[None])


def test_digest_of_nothing_and_of_calls_without_notes():
    recorder = FrameAttentionRecorder()
    assert recorder.digest([]) == []
    call = attention()
    bare = CallNotes(call.site, call.forward, [])
    stranger = CallNotes(call.site, call.forward, [Note("gamma", (0, 1), torch.ones(2))])
    kept = recorder.digest([bare, stranger])
    assert [[note.name for note in call.notes] for call in kept] == [[], ["gamma"]]


@every_estimator
def test_sees_what_homeostasis_did(estimator):
    sth = SpectralTransportHomeostasis(tau=1.0, layer_weight="flat", step_weight="flat", estimator=estimator)
    call = attention()
    edited = sth.before(call)
    (notes,) = recorded((call, edited), estimator=estimator)
    gamma = reference.gamma(measured(call, estimator), 1.0, False)
    assert np.abs(double(notes["gamma"].value) - gamma).max() < TOLERANCE
    equals(notes, measured(call, estimator))
    equals(notes, measured(edited, estimator), "after.")


def test_tokens_outside_the_video_do_not_count():
    call, other = attention(), attention()
    outside = torch.ones(25, dtype=torch.bool)
    outside[call.forward.grid.video] = False
    q, k = other.q.clone(), other.k.clone()
    q[:, :, outside], k[:, :, outside] = 30.0, -30.0
    (first,), (second,) = recorded((call, call)), recorded((other.edit(q=q, k=k),) * 2)
    assert all(torch.equal(first[name].value, second[name].value) for name in NAMES)


def test_looking_changes_nothing():
    call = attention()
    kept = call.q.clone(), call.k.clone(), call.v.clone()
    recorder = FrameAttentionRecorder()
    out = torch.zeros(2, 3, 25, 6)
    assert recorder.before(call) is call and recorder.after(call, out) is out
    recorder.seen(call, call.edit(q=2 * call.q))
    assert all(torch.equal(x, y) for x, y in zip((call.q, call.k, call.v), kept, strict=True))


def test_heads_are_kept_where_they_are_wanted_and_their_size_is_said_first(caplog):
    with caplog.at_level("INFO", "temporal_attention"):
        for kept, expected in (
            (HeadsKept(frozenset({2})), True),
            (HeadsKept(frozenset({2}), frozenset({4, 9, 77})), True),
            (HeadsKept(frozenset({1})), False),
            (HeadsKept(frozenset({2}), frozenset({5})), False),
            (None, False),
        ):
            call = attention()
            edited = call.edit(q=2 * call.q)
            first, second = recorded((call, edited), (call, call), heads=kept)
            assert ("frames_by_head" in first) == ("after.frames_by_head" in first) == expected
            assert "after.frames_by_head" not in second
            if expected:
                for name, seen in (("", call), ("after.", edited)):
                    wanted = measured(seen, Estimator()).matrix
                    np.testing.assert_allclose(double(first[f"{name}frames_by_head"].value), wanted, atol=TOLERANCE)
    said = [line.getMessage() for line in caplog.records]
    assert len(said) == 2, "once a run, however many calls"
    assert "1 blocks x 10 steps x 2 batch rows x 3 heads of 5 x 5 numbers take 0.0 MB" in said[0] and "x 2 steps x" in said[1]


def test_the_size_of_single_heads_is_what_they_take():
    """What the text says, against the arrays of a run of that size."""
    call = attention(frames=21)
    kept = HeadsKept(frozenset(range(40)))
    (notes,) = recorded((call, call), heads=HeadsKept(frozenset({2})))
    array = notes["frames_by_head"].value
    megabytes = 40 * 10 * array.numel() * array.element_size() / 1e6
    assert f"take {megabytes:.1f} MB" in kept.size(call, 21)
