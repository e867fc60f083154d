"""TempoControl in real sampling runs: against a plain loop, on every family, and whatever ends it."""

import gc
import logging
import weakref

import comfy.model_management
import comfy.sample
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from families import conditioning, tiny_networks
from gradients import in_a_run
from tempo import RATE, control, iterations, longer, run, words
from test_gradient_cleanup import state

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Note
from pack.py.core.intervention import Observer, Where, Window
from pack.py.host.attach import attach
from pack.py.maths.tempo_losses import tempo_losses
from pack.py.techniques.tempo_control import TempoControl
from pack.py.techniques.word_maps import KINDS
from pack.py.techniques.word_record import WordRecorder

NETWORKS = tiny_networks()
READING = [name for name in NETWORKS if name not in ("svd", "animatediff")]


def test_it_acts_and_repeats_exactly(tiny, model):
    plain, once = run(tiny, model), run(tiny, control(tiny, model))
    assert torch.isfinite(once).all() and not torch.equal(once, plain)
    assert torch.equal(run(tiny, control(tiny, model)), once)


@pytest.mark.parametrize("settings", [{"iterations": 0}, {"lr": 0.0}, {"window": Window(0.98, 0.99)}, {"words": None}], ids=str)
def test_neutral_settings_are_bit_identical(tiny, model, settings):
    settings = {"words": words(tiny), "window": Window(0.0, 0.2)} | settings
    assert torch.equal(run(tiny, attach(model, TempoControl(**settings))), run(tiny, model))


class DenseTap(Observer):
    """The whole softmax, of which the columns of two rows count."""

    def seen(self, call, edited):
        pattern = torch.softmax(edited.scale * edited.q @ edited.k.mT, -1)
        return [Note("words", call.rows, pattern[..., [1, 2]].mean((1, 3)))]


@pytest.mark.parametrize("wanted_mass", [0.0, 1.0])
def test_equals_a_plain_loop(monkeypatch, tiny, model, wanted_mass):
    """One whole graph, dense patterns, AdamW written out: the latent that the network is then given."""
    mask, rate, shape = torch.tensor([[0.0, 0, 0.5, 1, 1]]), RATE * (100_000 / (16 * 8 * 8)) ** 0.5, longer(tiny)
    assert shape[1:] == (16, 5, 8, 8)

    def loss(calls):
        maps = torch.stack([call.notes[0].value for call in calls]).mean(0)[:, None].unflatten(-1, (5, -1))
        return tempo_losses(maps.double(), mask.double(), wanted_mass).total().sum()

    def by_hand(gradient, x):
        x = x.clone()
        first, second = torch.zeros_like(x), torch.zeros_like(x)
        for t in range(1, 4):
            g = gradient(x, tap=DenseTap(where=Where(KINDS)), loss=loss)[1]
            x = x * (1 - 0.01 * rate)
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
            x = x - rate * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
        return x

    start = []
    with monkeypatch.context() as patch:
        expected = in_a_run(patch, tiny, model, lambda g, x: (start.append(x.clone()), by_hand(g, x))[1], latent=shape, cfg=1.0)
    seen, patched = [], control(tiny, model, schedule="cat: 0=0, 7=1", wanted_mass=wanted_mass)
    look = lambda executor, model, conds, x, *more: seen.append(x.clone()) or executor(model, conds, x, *more)  # noqa: E731
    patched.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, "look", look)
    assert words(tiny, "cat: 0=0, 7=1").masks(5).tolist() == mask.tolist()
    run(tiny, patched)
    assert torch.equal(seen[0], start[0])
    assert float((seen[3] - expected).norm() / (expected - start[0]).norm()) < 1e-3, "after three iterations"


@pytest.mark.parametrize("name", READING)
def test_the_loss_falls_on_every_family(name):
    tiny = NETWORKS[name]
    model, latent = tiny.load(), longer(tiny, 6)
    recorder = WordRecorder(words=words(tiny, latent=latent))
    patched = attach(control(tiny, model, latent=latent, iterations=4), recorder)
    losses = [float(one.values["loss"][0]) for one in iterations(run(tiny, patched, frames=6, packed=False), recorder)]
    assert len(losses) == 4 and losses == sorted(losses, reverse=True)


def test_every_sample_has_its_own_loss_and_stop(tiny, model):
    """Two videos in a batch are what they are alone."""
    empty = torch.zeros(2, *longer(tiny)[1:])
    noise = comfy.sample.prepare_noise(empty, 3)

    def together(rows, **settings):
        recorder = WordRecorder(words=words(tiny))
        patched = attach(control(tiny, model, iterations=6, **settings), recorder)
        given = noise[rows], 2, 1.0, "euler", "simple", conditioning(tiny, 1), conditioning(tiny, 2), empty[rows]
        latent = comfy.sample.sample(patched, *given, seed=0, disable_pbar=True)
        return latent, [one.running for one in iterations(latent, recorder)]

    free = [together([row], stop_correlation=1.0)[0] for row in (0, 1)]
    torch.testing.assert_close(together([0, 1], stop_correlation=1.0)[0], torch.cat(free), rtol=1e-4, atol=1e-4)


def test_bfloat16_weights_and_batches(tiny, model):
    latent = run(tiny, control(tiny, model), batch=2, latent=(2, *longer(tiny)[1:]))
    assert torch.isfinite(latent).all() and latent.shape[0] == 2


def test_gradients_that_are_not_finite_keep_the_last_good_latent(monkeypatch, tiny, model, caplog):
    from pack.py.host import latent_optimisation

    real, calls = latent_optimisation.latent_gradient, []

    def broken(asked):
        calls.append(asked.x.clone())
        return real(asked) * (torch.nan if len(calls) == 3 else 1)

    expected = run(tiny, control(tiny, model, iterations=1))
    monkeypatch.setattr(latent_optimisation, "latent_gradient", broken)
    found = run(tiny, control(tiny, model, iterations=5))
    assert len(calls) == 3 and "no finite gradient for sample 0 at step 1" in caplog.text
    assert torch.equal(found, expected), "the second latent had a gradient; the third, made by it, had none"


class Boom(Exception):
    pass


def out_of_memory():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB")


def fail():
    raise Boom


ENDS = {
    "interrupt": (comfy.model_management.InterruptProcessingException, None),
    "exception": (Boom, fail),
    "memory": (TemporalAttentionError, out_of_memory),
}


@pytest.mark.parametrize("end", ENDS)
def test_whatever_ends_it_everything_is_restored(monkeypatch, tiny, model, end):
    from pack.py.host import latent_optimisation

    error, instead = ENDS[end]
    plain, before, real, calls = run(tiny, model), state(model), latent_optimisation.latent_gradient, []

    def second_fails(asked):
        calls.append(1)
        if len(calls) == 2 and instead:
            instead()
        if len(calls) == 2:
            comfy.model_management.interrupt_current_processing()
        return real(asked)

    monkeypatch.setattr(latent_optimisation, "latent_gradient", second_fails)
    with pytest.raises(error) as raised:
        run(tiny, control(tiny, model, iterations=9))
    assert len(calls) == 2, "stopped within one iteration"
    if end == "memory":
        assert all(word in str(raised.value) for word in ("keep_attention", "blocks", "smaller"))
    monkeypatch.undo()
    assert state(model) == before and torch.equal(run(tiny, model), plain)


def test_after_a_run_all_is_as_before(tiny, model):
    plain, before = run(tiny, model), state(model)
    run(tiny, control(tiny, model))
    assert state(model) == before and torch.equal(run(tiny, model), plain)


def test_nothing_of_a_run_outlives_it(tiny, model):
    """A loss that kept its graph would keep, through what PyTorch holds, the whole run, out of the garbage collector's reach."""
    controlled = control(tiny, model)
    left = weakref.ref(controlled)
    run(tiny, controlled)
    del controlled
    gc.collect()
    assert left() is None


def test_the_log_tells_memory_time_and_progress(tiny, model, caplog):
    caplog.set_level(logging.INFO, "temporal_attention")
    run(tiny, control(tiny, model))
    for said in (
        "GB besides the weights",
        "at most about",
        "step 1, iteration 3 of 3: loss",
        "before 1 of 2 steps",
        "correlation",
    ):
        assert said in caplog.text
