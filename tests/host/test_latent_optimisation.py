"""TempoControl in real sampling runs: against a plain loop, on every family, with every sampler, and whatever ends it."""

import gc
import logging
import weakref

import comfy.model_management
import comfy.sample
import comfy.samplers
import numpy as np
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from families import conditioning, sample, tiny_networks, windowed
from gradients import in_a_run
from tempo import RATE, control, longer, run, words
from test_gradient_cleanup import state

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Note
from pack.py.core.intervention import Observer, Where, Window
from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.host.sampler_state import HOSTS, KEEPING, function_of
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


def iterations(latent, recorder):
    return RUNS.find(latent, recorder).trace.iterations


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


@pytest.fixture
def constant():
    """A PREDICT_NOISE wrapper that answers zeros, and adds 1 to the latent in place at the call of this number."""

    def make(at):
        calls = []

        def predict(executor, x, sigma, options=None, seed=None):
            if len(calls) == at:
                x.add_(1.0)
            calls.append(float(sigma[0]))
            return torch.zeros_like(x)

        return predict

    return make


@pytest.mark.parametrize("name", [n for n in comfy.samplers.SAMPLER_NAMES if "cfg_pp" not in n])
def test_the_table_says_which_samplers_keep_a_change(tiny, model, constant, name):
    """With a denoiser that ignores the latent, what is added to it stays only where the sampler goes on from it."""
    sampler = comfy.samplers.sampler_object(name)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 8)[:5]

    def end(at):
        patched, noise = model.clone(), comfy.sample.prepare_noise(torch.zeros(tiny.latent), 0)
        patched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "t", constant(at))
        guider = comfy.samplers.CFGGuider(patched)
        guider.set_conds(conditioning(tiny, 1), conditioning(tiny, 2))
        return guider.sample(noise, torch.zeros(tiny.latent), sampler, sigmas, disable_pbar=True, seed=0)

    change = float((end(0) - end(None)).mean())
    function = function_of(sampler)
    known_to_lose_later = {"dpm_fast_function", "dpm_adaptive_function"}
    assert (change > 10) == (function in KEEPING or function in known_to_lose_later), change
    assert function in HOSTS


@pytest.mark.parametrize("name", ["euler", "heun", "dpmpp_2m", "exp_heun_2_x0", "heunpp2", "dpm_2", "euler_cfg_pp"])
def test_each_step_is_optimised_once_on_the_samplers_own_latent(tiny, model, name):
    """After the run has gone on, the network is asked about the very latent that was written."""
    recorder = WordRecorder(words=words(tiny))
    patched = attach(control(tiny, model, window=Window(0.0, 0.9), iterations=1), recorder)
    latent = run(tiny, patched, steps=6, sampler=name)
    steps = [one.step.index for one in iterations(latent, recorder)]
    assert steps == sorted(set(steps)) and len(steps) >= 4
    assert not torch.equal(latent, run(tiny, model, steps=6, sampler=name))


@pytest.mark.parametrize("name", ["uni_pc", "euler_ancestral", "dpmpp_sde", "lcm", "sa_solver", "er_sde", "seeds_2"])
def test_samplers_that_lose_the_change_are_refused_before_anything_runs(tiny, model, name):
    with pytest.raises(TemporalAttentionError, match=r"\(euler, .*ddim\), but got"):
        run(tiny, control(tiny, model), sampler=name)


def test_a_noise_mask_is_refused(tiny, model):
    with pytest.raises(TemporalAttentionError, match="a latent without a noise mask"):
        run(tiny, control(tiny, model), noise_mask=torch.ones(1, 1, 5, 8, 8))


def test_without_the_technique_nothing_is_refused(tiny, model):
    run(tiny, attach(model, WordRecorder(words=words(tiny))), sampler="uni_pc")


def test_another_text_is_refused(tiny, model):
    other = conditioning(tiny, 7)
    with pytest.raises(TemporalAttentionError, match="the sampler's positive prompt to be the text given to TempoControl"):
        run(tiny, control(tiny, model), positive=other)
    longer_text = conditioning(tiny, 1, tokens=9)
    with pytest.raises(TemporalAttentionError, match="another conditioning"):
        run(tiny, control(tiny, model), positive=longer_text)


def ranged(conds, start, end):
    return [[text, {**options, "start_percent": start, "end_percent": end}] for text, options in conds]


def test_a_prompt_whose_timestep_range_begins_later_is_named(tiny, model):
    own, other = conditioning(tiny, 1), conditioning(tiny, 5)
    timed = control(tiny, model)
    assert torch.isfinite(run(tiny, timed, positive=ranged(own, 0.0, 0.4) + ranged(other, 0.4, 1.0))).all()
    with pytest.raises(TemporalAttentionError, match="timestep range leaves out this step"):
        run(tiny, timed, positive=ranged(own, 0.4, 1.0) + ranged(other, 0.0, 0.4))


def test_of_joined_conditionings_the_one_with_the_text_counts(tiny, model):
    both = [*conditioning(tiny, 7), *conditioning(tiny, 1)]
    assert not torch.equal(run(tiny, control(tiny, model), positive=both), run(tiny, model, positive=both))


@pytest.mark.parametrize("tokens", [4, 7])
def test_of_joined_conditionings_the_recorder_watches_the_one_with_the_text(tiny, model, tokens):
    """In one batch with the other or not, and though the other is too short for the phrase."""
    given = words(tiny, positions=((4, 5),))
    recorder = WordRecorder(words=given)
    patched = attach(control(tiny, model, positions=((4, 5),)), recorder)

    def maps(positive):
        trace = RUNS.find(run(tiny, patched, positive=positive), recorder).trace
        return [record.values["words"] for record in trace.records], trace.iterations

    (first, *rest), judged = maps([*conditioning(tiny, 7, tokens), *conditioning(tiny, 1)])
    (alone, *more), judged_alone = maps(conditioning(tiny, 1))
    assert len(rest) == len(more) == 1, "one map a step"
    np.testing.assert_allclose(first, alone, rtol=1e-4)
    np.testing.assert_allclose(judged[-1].values["loss"], judged_alone[-1].values["loss"], rtol=1e-4)


def test_a_run_with_another_text_leaves_the_recorder_empty_and_says_so(tiny, model, caplog):
    caplog.set_level(logging.INFO, "temporal_attention")
    recorder = WordRecorder(words=words(tiny))
    latent = run(tiny, attach(model, recorder), positive=conditioning(tiny, 7))
    assert not RUNS.find(latent, recorder).trace.records
    assert "WordRecorder was active on 0 of 2 steps: no call read only the text of its phrases" in caplog.text


def test_each_recorder_has_the_iterations_of_its_own_words(tiny, model):
    one = words(tiny)
    two = words(tiny, "cat: 0%=0, 50%=1\ndog: 0%=1, 50%=0", ((1,), (2,)))
    patched, recorders = model, [WordRecorder(words=one), WordRecorder(words=two)]
    for given, count in ((one, 3), (two, 2)):
        technique = TempoControl(words=given, lr=RATE, iterations=count, stop_correlation=1.0, window=Window(0.0, 0.01))
        patched = attach(patched, technique)
    latent = run(tiny, attach(patched, *recorders))
    phrases = [[one.phrases for one in iterations(latent, recorder)] for recorder in recorders]
    assert phrases == [[("cat",)] * 3, [("cat", "dog")] * 2]


@pytest.mark.parametrize("frames,schedule,said", [(2, "cat: 0=0, 4=1", "3 latent frames"), (5, "cat: 0=0.5", "constant values")])
def test_what_cannot_be_timed_is_refused(tiny, model, frames, schedule, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(tiny, control(tiny, model, schedule=schedule), frames=frames)


def test_a_phrase_that_is_wanted_throughout(tiny, model, caplog):
    caplog.set_level(logging.INFO, "temporal_attention")
    assert not torch.equal(run(tiny, control(tiny, model, schedule="cat")), run(tiny, model))
    assert "cat wanted throughout" in caplog.text


def test_a_schedule_of_two_phrases(tiny, model):
    two = control(tiny, model, "cat: 0%=0, 50%=1\ndog: 0%=1, 50%=0", ((1, 2), (4,)))
    assert not torch.equal(run(tiny, two), run(tiny, control(tiny, model)))


def test_context_windows(tiny, model):
    assert torch.isfinite(run(tiny, windowed(control(tiny, model), 4, 2), frames=6)).all()


def test_a_context_window_of_joined_frames_gets_its_own_part_of_the_schedule(monkeypatch):
    """CogVideoX 1.5 makes one frame of tokens of two latent frames; a window after the first begins with an anchor frame."""
    from pack.py.techniques import tempo_evaluation

    tiny, seen = NETWORKS["cogvideox_1.5"], []
    losses = tempo_evaluation.tempo_losses
    look = lambda maps, masks, *weights: seen.append(masks) or losses(maps, masks, *weights)  # noqa: E731
    monkeypatch.setattr(tempo_evaluation, "tempo_losses", look)
    latent = (1, 16, 14, 4, 4)
    patched = windowed(control(tiny, tiny.load(), iterations=1, latent=latent), 8, 2)
    sample(tiny, patched, steps=1, cfg=1.0, latent=latent)
    (mask,) = words(tiny, latent=latent).masks(14)
    wanted = [mask[:8].unflatten(0, (-1, 2)).mean(1), torch.cat([mask[5:13].unflatten(0, (-1, 2)).mean(1), mask[13:14]])]
    assert [masks[0].tolist() for masks in seen] == [each.tolist() for each in wanted]


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


def test_bfloat16_weights_and_batches(tiny, model):
    latent = run(tiny, control(tiny, model), batch=2, latent=(2, *longer(tiny)[1:]))
    assert torch.isfinite(latent).all() and latent.shape[0] == 2


def test_the_recorder_keeps_one_map_a_step(tiny, model):
    recorder = WordRecorder(words=words(tiny, "cat: 0%=0, 50%=1\ndog: 0%=1, 50%=0", ((1, 2), (4,))))
    latent = sample(tiny, attach(model, recorder), steps=3, latent=longer(tiny))
    records = RUNS.find(latent, recorder).trace.records
    assert len(records) == 3 and {r.values["words"].shape for r in records} == {(2, 5, 4, 4)}


def test_nothing_of_a_run_outlives_it(tiny, model):
    """A loss that kept its graph would keep, through what PyTorch holds, the whole run, out of the garbage collector's reach."""
    controlled = control(tiny, model)
    left = weakref.ref(controlled)
    run(tiny, controlled)
    del controlled
    gc.collect()
    assert left() is None
