"""TempoControl without a network: the loop on a toy attention, stops, bad gradients, masks; and word maps against dense ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from events import attention, forward

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, CallNotes, Note, Site, Step
from pack.py.core.latent import LatentStep
from pack.py.core.pipeline import Pipeline
from pack.py.prompts.curves import Onsets
from pack.py.prompts.schedule import parse_schedule
from pack.py.prompts.tempo import Tempo, Track
from pack.py.prompts.timed_words import TimedWords, relative_difference
from pack.py.techniques.tempo_control import TempoControl
from pack.py.techniques.word_maps import word_maps
from pack.py.techniques.word_record import WordRecorder

STEP = Step(0, 4, 1.0, 0.0, 1.0)
COND = Branch.COND
VIDEO = (2, 4, 5, 3, 3)
SCALE = (100_000 / (4 * 3 * 3)) ** 0.5


def words(schedule="cat: 0=0, 9=1", positions=((0,),)):
    tempo = parse_schedule(schedule).tempo(16.0, "hold")
    return TimedWords(tempo, positions, torch.zeros(1, 3, 2), compression=4)


class Toy:
    """A latent [B, 4, 5, 3, 3] whose attention is a softmax over its channels; counts what it is asked."""

    def __init__(self, samples=2, seed=0, broken=()):
        self.x = torch.randn(samples, *VIDEO[1:], generator=torch.Generator().manual_seed(seed))
        self.asked, self.iterations, self.broken = [], [], broken

    def step(self):
        return LatentStep(STEP, self.x, (len(self.x), *VIDEO[1:]), self.gradient, self.iterations.append, lambda *_: None)

    def gradient(self, x, tap, loss, context, keep_attention):
        self.asked.append(x.clone())
        x = x.clone().requires_grad_()
        with torch.enable_grad():
            pattern = x.softmax(1)[:, :1].flatten(3)
            fwd = forward((COND,) * len(x), frames=5, height=3, width=3)
            fwd = fwd.__class__(STEP, fwd.grid, fwd.branches, tuple(range(len(x))))
            call = CallNotes(Site(0, 1, "cross", "text"), fwd, [Note("words", tuple(range(len(x))), pattern)])
            gradient = torch.autograd.grad(loss([call]), x)[0]
        if len(self.asked) in self.broken:
            gradient[0] = torch.inf
        return gradient


def optimise(toy, **settings):
    settings = {"words": words(), "lr": 0.05 / SCALE, "stop_correlation": 1.0, "stop_ratio": None} | settings
    return TempoControl(**settings).latent(toy.step())


def test_the_loss_falls_and_the_input_is_left_alone():
    toy = Toy()
    before = toy.x.clone()
    out = optimise(toy)
    losses = [one.values["loss"] for one in toy.iterations]
    assert len(losses) == 10 and (losses[-1] < losses[0]).all() and torch.equal(toy.x, before)
    assert out.shape == toy.x.shape and out.dtype == toy.x.dtype and not torch.equal(out, before)


def test_the_first_update_is_the_learning_rate():
    """AdamW's first step is lr in the direction of the sign, after a decay of 0.01 lr."""
    toy = Toy()
    moved = optimise(toy, iterations=1) - toy.x * (1 - 0.01 * 0.05)
    assert torch.allclose(moved.abs(), torch.tensor(0.05), rtol=1e-3)


def test_samples_are_independent():
    together = optimise(Toy())
    alone = Toy()
    alone.x = alone.x[1:]
    assert torch.allclose(optimise(alone), together[1:], atol=1e-6)


def test_a_sample_stops_by_itself():
    toy = Toy()
    toy.x[1] = 0
    toy.x[1, 0, 3:] = 3.0  # wanted frames already draw the attention
    out = optimise(toy, stop_correlation=0.9, iterations=4)
    assert torch.equal(out[1], toy.x[1]) and not torch.equal(out[0], toy.x[0])
    assert [one.running for one in toy.iterations][:2] == [(True, True), (True, False)]


def test_no_more_evaluations_once_all_have_enough():
    toy = Toy()
    optimise(toy, stop_correlation=-1.0)
    assert len(toy.asked) == 1


@pytest.mark.parametrize("broken,kept", [((1,), 0), ((3,), 1)])
def test_without_a_finite_gradient_the_last_good_latent_is_kept(broken, kept, caplog):
    toy = Toy(broken=broken)
    out = optimise(toy, iterations=5)
    assert torch.equal(out[0], toy.asked[kept][0]) and not torch.equal(out[1], toy.x[1])
    assert "sample 0 at step 1" in caplog.text and torch.isfinite(out).all()


def test_half_precision_is_optimised_in_float32():
    toy = Toy()
    toy.x = toy.x.bfloat16()
    out = optimise(toy, lr=1e-4 / SCALE)
    assert out.dtype == torch.bfloat16 and toy.asked[0].dtype == torch.float32
    assert not torch.equal(toy.asked[1], toy.asked[1].bfloat16().float())


@pytest.mark.parametrize("settings", [{"lr": -1.0}, {"iterations": -1}, {"lr": float("nan")}, {"mass_weight": float("inf")}])
def test_bad_settings(settings):
    with pytest.raises(TemporalAttentionError):
        TempoControl(**settings)


def test_what_acts():
    assert TempoControl(words=words()).acts() and not TempoControl().acts() and not TempoControl.neutral().acts()
    assert not TempoControl(words=words(), lr=0.0).acts() and not WordRecorder().acts()


def test_masks_of_windows_and_of_joined_latent_frames():
    cat = words("cat: 0=0, 9=1")
    assert cat.masks(5).tolist() == [[0, 0, 0, 1, 1]]
    assert cat.masks(6, 3).tolist() == [[0, 0.5, 1]]


@pytest.mark.parametrize("schedule,frames", [("cat: 0=0.5", 5), ("cat: 0=0", 5), ("cat: 0=0, 1=1", 5), ("cat: 0=0, 9=1", 2)])
def test_what_cannot_be_timed(schedule, frames):
    if schedule == "cat: 0=0, 1=1":  # wanted in all frames but the first: nothing changes in those that are compared
        pytest.raises(TemporalAttentionError, words(schedule).check, frames)
        return
    with pytest.raises(TemporalAttentionError):
        words(schedule).check(frames)


@pytest.mark.parametrize("schedule", ["cat", "cat: 0=0, 9=1", "cat: 0=0\ndog"])
def test_what_can_be_timed(schedule):
    words(schedule, ((0,), (1,))).check(5)


def test_words_compare_by_what_they_say():
    """A node that the host runs again makes new ones: the trace of the first run is found by them."""
    one, again = words(), words()
    assert one == again and hash(one) == hash(again) and WordRecorder(words=one) == WordRecorder(words=again)
    other_text = TimedWords(one.tempo, one.positions, torch.ones(1, 3, 2), one.compression)
    others = words("cat: 0=0, 8=1"), words("dog: 0=0, 9=1"), words(positions=((1,),)), replace(one, compression=8), other_text
    assert one not in others


def test_a_schedule_by_sound_compares_by_what_it_says():
    def heard(loudness):
        tempo = Tempo((Track("drum", Onsets(torch.linspace(0, loudness, 50), 16.0)),))
        return replace(words(), tempo=tempo)

    assert heard(1.0) == heard(1.0) and hash(heard(1.0)) == hash(heard(1.0)) and heard(1.0) != heard(2.0)


def test_difference_of_contexts():
    one = torch.randn(1, 7, 4)
    assert relative_difference(one, one.double()) == 0 and relative_difference(one, torch.randn(1, 8, 4)) == float("inf")
    assert relative_difference(one, torch.cat([one, one + 1])) > 0.02


@pytest.mark.parametrize("kind,start,text", [("cross", 0, 0), ("joint", 4, 0), ("joint", 0, 12)])
def test_word_maps_equal_the_dense_pattern(kind, start, text):
    fwd = forward((COND, COND), start=start, extra=4 - start)
    fwd = fwd.__class__(fwd.step, fwd.grid.__class__(3, 2, 2, 16, start, 1, text), fwd.branches, (0, 1))
    call = attention(fwd=fwd, site=Site(0, 1, kind, "text"))
    bias = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(3))
    call = call.edit(bias=bias)
    pattern = torch.softmax(call.q.double() @ call.k.double().mT * call.scale + bias, -1)[:, :, start : start + 12]
    first = text if kind == "joint" else 0
    expected = torch.stack([pattern[..., [first + 1, first + 2]].mean((1, 3)), pattern[..., first].mean(1)], 1)
    found = word_maps(call, ((1, 2), (0,)))
    assert found.shape == (2, 2, 3, 4)
    torch.testing.assert_close(found.double(), expected.unflatten(-1, (3, 4)), rtol=1e-5, atol=1e-6)


def test_a_text_that_is_too_short():
    call = attention(fwd=forward((COND,)), site=Site(0, 1, "cross", "text"))
    with pytest.raises(TemporalAttentionError, match="at least 41 tokens"):
        word_maps(call, ((40,),))


def test_the_recorder_averages_the_blocks_of_a_step():
    recorder, calls = WordRecorder(words=words(positions=((1,),))), []
    for block in range(2):
        call = attention(seed=block, fwd=forward((COND,)), site=Site(block, 2, "cross", "text"))
        calls.append(CallNotes(call.site, call.forward, recorder.seen(call, call)))
    calls.append(CallNotes(Site(0, 2, "cross", "image"), call.forward, []))
    (kept,) = recorder.digest(calls)
    assert kept.notes[0].value.shape == (1, 1, 3, 2, 2)
    expected = np.mean([call.notes[0].value.numpy() for call in calls[:2]], axis=0)
    np.testing.assert_allclose(kept.notes[0].value.numpy(), expected, rtol=1e-6)


def test_only_rows_of_the_prompt_are_recorded():
    """By what is known of a row's text; where nothing is, it counts."""
    cat = replace(words(positions=((1,),)), context=torch.ones(1, 3, 2))
    texts = {"a": 1.001 * cat.context, "b": 1.1 * cat.context, "longer": torch.ones(1, 4, 2)}
    ids, branches = ("b", "a", "longer", "a", "unknown"), (COND, Branch.UNCOND, COND, COND, COND)
    fwd = replace(forward(branches), conditionings=ids, texts=texts)
    recorder = WordRecorder(words=cat)
    assert recorder.concerns(fwd) and recorder.rows_of(fwd) == (3, 4)
    kept, call = [], attention(fwd=fwd, site=Site(0, 1, "cross", "text"))
    Pipeline((recorder,), lambda *_: None, lambda _, notes: kept.append(notes)).attention(call)
    (note,) = kept[0].notes
    assert note.rows == (3, 4) and torch.equal(note.value.flatten(-2), word_maps(call, ((1,),))[3:])
    others = replace(fwd, conditionings=("b",) * 5, memory={})
    assert not recorder.concerns(others)
