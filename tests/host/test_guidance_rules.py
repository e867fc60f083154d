"""Rules of Entropy Guidance: each is its formula, with and without an unconditional side, and bad settings are refused."""

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Guider_DualCFG, Guider_DualModel
from comfy_extras.nodes_easycache import EasyCacheNode
from compare import relative
from families import conditioning, sample

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch
from pack.py.core.intervention import Where
from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.techniques.entropy_guidance import RULES, EntropyGuidance
from pack.py.techniques.perturbation import IDENTITY, UNIFORM, AttentionPerturbation
from pack.py.techniques.record import FrameAttentionRecorder

FIRST = {"steps": 1, "cfg": 4.0}


def predictions(tiny, model, perturbation=None, **options):
    """(cond, uncond, denoised) of the first step, the attention of some block perturbed."""
    seen = []
    model = attach(model, perturbation) if perturbation else model.clone()
    model.set_model_sampler_post_cfg_function(lambda args: seen.append(args) or args["denoised"])
    sample(tiny, model, **FIRST | options)
    return seen[0]["cond_denoised"], seen[0]["uncond_denoised"]


def as_latent(tiny, model, denoised):
    """What a run of one step returns that predicts this."""
    given = model.clone()
    given.set_model_sampler_post_cfg_function(lambda args: denoised)
    return sample(tiny, given, **FIRST)


def replaced(alpha, side):
    return AttentionPerturbation(alpha=alpha, where=Where(blocks=frozenset({1})), branch=side)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_its_formula(tiny, model, rule):
    """With a schedule of one step the sampled latent is the guided prediction itself."""
    scale, w = 0.7, 4.0
    c, u = predictions(tiny, model)
    c_i, c_u = (predictions(tiny, model, replaced(alpha, Branch.COND))[0] for alpha in (IDENTITY, UNIFORM))
    u_i = predictions(tiny, model, replaced(IDENTITY, Branch.UNCOND))[1]
    expected = {
        "A - I": u + w * (c - u) + scale * (c - c_i),
        "U - A": u + w * (c - u) + scale * (c_u - c),
        "U - I": u + w * (c - u) + scale * (c_u - c_i),
        "strategy 1": u + w * (c - u_i),
        "strategy 3": u + w * (c_u - u) + scale * (c - c_i),
        "strategy 4": u + w * (c_u - u),
    }[rule]
    latent = sample(tiny, attach(model, EntropyGuidance(rule=rule, block=1, scale=scale)), **FIRST)
    assert relative(latent, as_latent(tiny, model, expected)) <= 1e-5
    assert relative(latent, sample(tiny, model, **FIRST)) > 1e-3


def test_without_an_unconditional_side_the_conditional_rules_act(tiny, model):
    plain = sample(tiny, model, cfg=1.0)
    assert not torch.equal(sample(tiny, attach(model, EntropyGuidance(block=1)), cfg=1.0), plain)
    with pytest.raises(TemporalAttentionError, match="branch"):
        sample(tiny, attach(model, EntropyGuidance(block=1, rule="strategy 1")), cfg=1.0)


def test_rescaling_brings_the_spread_back(tiny, model):
    c, _ = predictions(tiny, model)
    latent = sample(tiny, attach(model, EntropyGuidance(block=1, scale=5.0, rescale=1.0)), **FIRST)
    unscaled = sample(tiny, attach(model, EntropyGuidance(block=1, scale=5.0)), **FIRST)
    assert abs(latent.std() - as_latent(tiny, model, c).std()) < 0.02 * latent.std() < abs(unscaled.std() - latent.std())


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_a_cache_that_skips_steps_keeps_the_models_own_prediction(tiny, model, cfg):
    """What EasyCache repeats is the prompt's own prediction of the step before, not the edited one."""
    seen = []
    cached = EasyCacheNode.execute(model, 1.0, 0.0, 1.0, False).result[0]
    for scale in (1e-9, 0.0):
        watched = attach(cached, EntropyGuidance(block=1, scale=scale))
        watched.set_model_sampler_post_cfg_function(lambda args: seen.append(args["cond_denoised"]) or args["denoised"])
        sample(tiny, watched, cfg=cfg, steps=8)
    assert all(relative(guided, plain) < 1e-5 for guided, plain in zip(seen[:8], seen[8:], strict=True))


def guided(guider, tiny, model):
    """A run of four steps by a guider that has its prompts."""
    empty = torch.zeros(tiny.latent)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 4)
    noise = comfy.sample.prepare_noise(empty, 0)
    return guider.sample(noise, empty, comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=0)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_acts_in_a_guider_of_two_prompts(tiny, model, rule, nested):
    """Its second prompt stands where the unconditional side does elsewhere."""

    def run(model):
        guider = Guider_DualCFG(model)
        guider.set_conds(*(conditioning(tiny, seed) for seed in (1, 3, 2)))
        guider.set_cfg(4.0, 2.0, nested)
        return guided(guider, tiny, model)

    assert relative(run(attach(model, EntropyGuidance(block=1, rule=rule, scale=1.0))), run(model)) > 1e-3


def test_a_guider_that_combines_nothing_is_named(tiny, model):
    """The host's guider of two models makes no guidance at cfg 1."""
    recorder = FrameAttentionRecorder()
    guider = Guider_DualModel(attach(model, EntropyGuidance(block=1, scale=1.0), recorder), tiny.load())
    guider.set_conds(conditioning(tiny, 1), conditioning(tiny, 2))
    guider.set_cfg(1.0)
    trace = RUNS.find(guided(guider, tiny, model), recorder).trace
    assert any("this guider never combines predictions" in line for line in trace.report)


def test_a_block_without_the_asked_attention_is_refused(tiny, model):
    """Some blocks of AnimateDiff have no attention within frames; which, is only known in the run."""
    only = EntropyGuidance(block=1, where=Where(blocks=frozenset({0, 2})))
    with pytest.raises(TemporalAttentionError, match="block 1, which has none"):
        sample(tiny, attach(model, only))


@pytest.mark.parametrize("settings", [{"scale": float("nan")}, {"rule": "I - A"}, {"rescale": 1.5}, {"rows": 0}], ids=str)
def test_bad_settings_are_refused(settings):
    with pytest.raises(TemporalAttentionError):
        EntropyGuidance(**settings)
