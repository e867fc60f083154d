"""Samplers under TempoControl: which keep a change of the latent, that each step is optimised once, and what is refused."""

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from families import conditioning
from tempo import control, iterations, run, words

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.intervention import Window
from pack.py.host.attach import attach
from pack.py.host.sampler_state import HOSTS, KEEPING, function_of
from pack.py.techniques.word_record import WordRecorder


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
