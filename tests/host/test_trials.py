"""One prediction of a run at any step, and whole runs, as a sweep makes them: against the host's own sampler."""

import comfy.sample
import comfy.samplers
import pytest
import sweeps
import torch
from families import conditioning, sample
from sweeps import sweep_inputs

from pack.py.core.intervention import Where, Window
from pack.py.host.attach import attach
from pack.py.host.sigma_schedule import SigmaSchedule
from pack.py.host.trials import Prompts, Steps, Trials
from pack.py.techniques.perturbation import AttentionPerturbation

UNIFORM_0 = AttentionPerturbation(alpha=0.0, where=Where(blocks=frozenset({0})))
subject = sweeps.subject  # a fixture


def host_run(tiny, model, steps=4, **options):
    """(denoised at every step, result) of the host's own sampling."""
    seen = []
    result = sample(tiny, model, steps=steps, callback=lambda i, denoised, x, total: seen.append(denoised.clone()), **options)
    return seen, result


def trials_of(tiny, model, percent=0.5, whole=False, **more):
    given = sweep_inputs(tiny, **more)
    prompts = Prompts(given["positive"], given["negative"], 4.0)
    return Trials(model, prompts, given["latent"], 0, Steps(4, "euler", "simple"), percent, whole)


def network_space(model, latent):
    return model.get_model_object("latent_format").process_in(latent)


@pytest.mark.parametrize("percent", [0.0, 0.5, 0.97])
def test_once_is_the_prediction_of_that_step_in_a_real_run(subject, percent):
    tiny, model = subject
    trials = trials_of(tiny, model, percent)
    seen, _ = host_run(tiny, model)
    torch.testing.assert_close(network_space(model, trials.once(model)), seen[trials.step], atol=1e-4, rtol=1e-4)
    at_once = Window(*2 * (progress(model, trials.sigma),))
    perturbed, _ = host_run(tiny, attach(model, AttentionPerturbation(alpha=0.0, where=UNIFORM_0.where, window=at_once)))
    got = network_space(model, trials.once(attach(model, UNIFORM_0)))
    torch.testing.assert_close(got, perturbed[trials.step], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(got, seen[trials.step], atol=1e-3)


def progress(model, sigma):
    return SigmaSchedule(model.get_model_object("model_sampling"), [sigma, 0.0]).at(sigma).progress


def test_the_steps_before_are_sampled_once(tiny, model):
    calls = []
    counted = model.clone()
    counted.set_model_unet_function_wrapper(
        lambda apply, args: calls.append(1) or apply(args["input"], args["timestep"], **args["c"])
    )
    trials = trials_of(tiny, counted)
    for _ in range(3):
        trials.once(counted)
    assert trials.step == 2 and len(calls) == 2 + 3


def test_the_step_is_the_nearest_to_the_percent(tiny, model):
    assert [trials_of(tiny, model, percent).step for percent in (0.0, 0.24, 0.5, 0.76, 1.0)] == [0, 1, 2, 3, 3]


def test_whole_is_the_hosts_own_run(subject):
    tiny, model = subject
    _, result = host_run(tiny, model)
    assert torch.equal(trials_of(tiny, model, whole=True).whole(model), result)


@pytest.mark.parametrize("sampler", ["euler_ancestral", "heun", "uni_pc", "dpmpp_2m", "dpm_2"])
def test_other_samplers_lead_to_the_step_too(tiny, model, sampler):
    given = sweep_inputs(tiny)
    prompts = Prompts(given["positive"], given["negative"], 4.0)
    trials = Trials(model, prompts, given["latent"], 0, Steps(6, sampler, "normal"), 0.5, False)
    once, again = trials.once(model), trials.once(model)
    assert torch.isfinite(once).all() and torch.equal(once, again) and 0 < trials.step < 6


def test_a_latent_with_a_video_is_noised_to_the_step(tiny, model):
    video = torch.randn(tiny.latent, generator=torch.Generator().manual_seed(5))
    trials = trials_of(tiny, model, latent={"samples": video})
    noise = comfy.sample.prepare_noise(video, 0)
    seen = []
    comfy.sample.sample_custom(
        model, noise, 4.0, comfy.samplers.sampler_object("euler"), trials.sigmas, conditioning(tiny, 1), conditioning(tiny, 2),
        video, callback=lambda i, denoised, x, total: seen.append(denoised.clone()), disable_pbar=True, seed=0,
    )  # fmt: skip
    assert len(seen) == 2 and trials.step == 2
    torch.testing.assert_close(network_space(model, trials.once(model)), seen[0], atol=1e-4, rtol=1e-4)
