"""Entropy Guidance: its formulas, the shared first blocks, what it costs in network calls, and how it chooses its block."""

import copy
from contextlib import ExitStack
from unittest.mock import patch

import comfy.samplers
import pytest
import tempo
import torch
from comfy_extras.nodes_easycache import EasyCacheNode
from compare import relative
from families import conditioning, sample, tiny_networks, windowed
from interventions import BlockShift, QueryGain

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, Forward, Grid, Step
from pack.py.core.intervention import Where, Window
from pack.py.host.attach import attach
from pack.py.host.families import adapter_of, blocks_of, network_of
from pack.py.host.prefix import Prefixes
from pack.py.host.sigma_schedule import SigmaSchedule
from pack.py.techniques.ballot import Ballot
from pack.py.techniques.entropy_guidance import RULES, EntropyGuidance
from pack.py.techniques.perturbation import IDENTITY, UNIFORM, AttentionPerturbation

NETWORKS = tiny_networks()
SEPARATE = {"uncond_tokens": 5}  # cond and uncond in calls of their own, as the extra one (unless the host pads their texts)


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def subject(request):
    """(name, tiny network, loaded MODEL, its blocks)."""
    with torch.inference_mode():
        model = NETWORKS[request.param].load()
    return request.param, NETWORKS[request.param], model, blocks_of(model)


@pytest.fixture
def no_sharing(monkeypatch):
    """Every extra prediction runs the whole network."""
    return lambda: monkeypatch.setattr(Prefixes, "resume", lambda *_: False)


@pytest.mark.parametrize("options", [SEPARATE, {}], ids=["same batching", "other batching"])
def test_sharing_the_first_blocks_equals_a_full_forward(subject, no_sharing, options):
    _, tiny, model, blocks = subject
    guided = attach(model, EntropyGuidance(block=len(blocks) - 1, scale=2.0))
    shared = sample(tiny, guided, steps=2, **options)
    no_sharing()
    full = sample(tiny, guided, steps=2, **options)
    assert not torch.equal(shared, sample(tiny, model, steps=2, **options))
    assert torch.equal(shared, full) if options else relative(shared, full) <= 1e-5


def attention_calls(tiny, model, **options):
    """Calls of the attention kernel in a run of one step."""
    counted, model = [], model.clone()

    def count(func, *args, **kwargs):
        counted.append(1)
        return func(*args, **kwargs)

    model.model_options["transformer_options"]["optimized_attention_override"] = count
    sample(tiny, model, steps=1, **options)
    return len(counted)


def test_the_first_blocks_are_not_run_again(subject, no_sharing):
    _, tiny, model, blocks = subject
    if not adapter_of(model).sequential:
        pytest.skip("blocks of a UNet feed later ones: every extra prediction runs the whole network")
    guided = attach(model, EntropyGuidance(block=len(blocks) - 1))
    plain, shared = (attention_calls(tiny, m, **SEPARATE) for m in (model, guided))
    no_sharing()
    full = attention_calls(tiny, guided, **SEPARATE)
    in_first_blocks = sum(len(block.sites) for block in blocks[:-1])
    one = full - plain
    assert plain in (one, 2 * one) and full - shared >= in_first_blocks


def test_nothing_is_left_behind(subject):
    _, tiny, model, blocks = subject
    plain = sample(tiny, model)
    sample(tiny, attach(model, EntropyGuidance(block=1)))
    assert all("forward" not in vars(module) for module in network_of(model).modules())
    assert torch.equal(sample(tiny, model), plain)


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


@pytest.mark.parametrize(
    "settings", [{"scale": 0.0}, {"window": Window(0.9, 0.91)}, {"rule": "strategy 4"}], ids=["scale 0", "window", "strategy 4"]
)
def test_no_extra_calls(tiny, model, settings):
    assert attention_calls(tiny, attach(model, EntropyGuidance(block=1, **settings))) == attention_calls(tiny, model)


def test_the_first_steps_only_measure(tiny, model, caplog):
    caplog.set_level("INFO", logger="temporal_attention")
    guided = attach(model, EntropyGuidance(scale=1.0))
    latents = []
    for subject in (model, guided):
        seen = []
        watched = subject.clone()
        watched.set_model_sampler_post_cfg_function(lambda args, seen=seen: seen.append(args) or args["denoised"])
        sample(tiny, watched, steps=8)
        latents.append([args["input"] for args in seen])
    same = [torch.equal(a, b) for a, b in zip(*latents, strict=True)]
    assert same == [True] * 3 + [False] * 5, "two steps of eight measure; the third one's result is the first that is guided"
    assert "entropies by block" in caplog.text


@pytest.mark.parametrize("windowed", [1, 2, 3, 5, 20])
def test_at_least_half_of_the_window_is_guided(tiny, model, monkeypatch, caplog, windowed):
    """A window that was spent on measuring gave the plain video, and the log blamed a strength of 0."""
    caplog.set_level("INFO", logger="temporal_attention")
    guided, terms = [], EntropyGuidance._terms
    monkeypatch.setattr(EntropyGuidance, "_terms", lambda self, p, *more: guided.append(p.step.index) or terms(self, p, *more))
    sampling = model.get_model_object("model_sampling")
    steps = SigmaSchedule(sampling, comfy.samplers.calculate_sigmas(sampling, "simple", 20).tolist()).steps()
    window = Window(0.0, steps[windowed - 1].progress)
    latent = sample(tiny, attach(model, EntropyGuidance(scale=2.0, window=window)), steps=20)
    measured = {1: 1, 2: 1, 3: 1, 5: 2, 20: 3}[windowed]
    assert guided == list(range(measured, windowed))
    assert torch.equal(latent, sample(tiny, model, steps=20)) == (windowed == 1)
    assert ("every step in its window only measured which block to replace" in caplog.text) == (windowed == 1)
    assert "its strength is 0" not in caplog.text


def test_the_block_of_highest_entropy_is_chosen(tiny, model, caplog):
    """Tripled queries lower the entropies of all blocks but one."""
    caplog.set_level("INFO", logger="temporal_attention")
    sharper = attach(model, QueryGain(gain=30.0, where=Where(blocks=frozenset({0, 2}))), EntropyGuidance())
    sample(tiny, sharper, steps=4)
    assert "acts on block 1" in caplog.text


def test_passes_for_gradients_are_not_measured(monkeypatch, tiny, model):
    noted, note = [], Ballot.note
    monkeypatch.setattr(Ballot, "note", lambda self, *given: noted.append(given[:2]) or note(self, *given))
    both = attach(tempo.control(tiny, model), EntropyGuidance())
    tempo.run(tiny, both, steps=4)
    assert noted and len(noted) == len(set(noted)), "one call a step and block, though TempoControl had more run"


def test_low_entropies_are_warned_of(tiny, model, caplog):
    sample(tiny, attach(model, QueryGain(gain=300.0), EntropyGuidance()), steps=4)
    assert "All entropies of this network are below 50 %" in caplog.text


def test_a_block_of_low_entropy_is_warned_of(tiny, model, caplog):
    low = QueryGain(gain=300.0, where=Where(blocks=frozenset({0})))
    sample(tiny, attach(model, low, EntropyGuidance(block=0)), steps=4)
    assert "low for this network" in caplog.text


def test_it_stacks(tiny, model, no_sharing):
    """With a second guidance, an edit of blocks and another node's guidance, shared blocks are still those of a full forward."""
    own = EntropyGuidance(rule="strategy 4", block=0)
    both = attach(model, BlockShift(), own, EntropyGuidance(block=2), EntropyGuidance(block=1, rule="U - I", scale=0.3))
    both.set_model_sampler_post_cfg_function(lambda args: 0.9 * args["denoised"])
    shared = sample(tiny, both, **SEPARATE)
    no_sharing()
    assert torch.equal(shared, sample(tiny, both, **SEPARATE))


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "uni_pc", "euler_cfg_pp"])
def test_samplers_that_predict_more_than_once_a_step_share_only_within_a_prediction(tiny, model, no_sharing, sampler):
    guided = attach(model, EntropyGuidance(block=2, scale=2.0))
    shared = sample(tiny, guided, sampler=sampler, **SEPARATE)
    no_sharing()
    assert torch.equal(shared, sample(tiny, guided, sampler=sampler, **SEPARATE))


def test_combined_prompts_share_nothing_and_are_guided(tiny, model, no_sharing):
    guided, combined = attach(model, EntropyGuidance(block=2, scale=2.0)), conditioning(tiny, 1) + conditioning(tiny, 3)
    shared = sample(tiny, guided, positive=combined)
    no_sharing()
    assert relative(shared, sample(tiny, guided, positive=combined)) <= 1e-5
    assert not torch.equal(shared, sample(tiny, model, positive=combined))


def test_what_the_first_blocks_returned_is_not_kept_after_the_run(tiny, model, monkeypatch):
    """It is as large as the latent is wide in the network, and must not wait for the garbage collector."""
    made, init = [], Prefixes.__init__
    monkeypatch.setattr(Prefixes, "__init__", lambda self: made.append(self) or init(self))
    sample(tiny, attach(model, EntropyGuidance(block=2)))
    assert [prefixes._kept for prefixes in made] == [{}]


def test_what_another_copy_of_the_network_kept_is_of_no_use(tiny, model):
    """On several GPUs each has its own."""
    blocks, others = (adapter_of(model).blocks(copy.deepcopy(network_of(model)))[:1] for _ in range(2))
    prefixes, key = Prefixes(), "prompt"
    forward = Forward(Step(0, 1, 1.0, 0.0, 1.0), Grid(3, 4, 4, 48), (Branch.COND,), (0,), conditionings=(key,))
    prefixes.keep(blocks, forward, (0,))
    prefixes._kept[1, key][blocks[0].module] = torch.ones(1, 48, 128)
    with ExitStack() as undo:
        assert prefixes.resume(blocks, forward, undo) and not prefixes.resume(others, forward, undo)


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


def test_a_block_without_the_asked_attention_is_refused(tiny, model):
    """Some blocks of AnimateDiff have no attention within frames; which, is only known in the run."""
    only = EntropyGuidance(block=1, where=Where(blocks=frozenset({0, 2})))
    with pytest.raises(TemporalAttentionError, match="block 1, which has none"):
        sample(tiny, attach(model, only))


def test_rescaling_brings_the_spread_back(tiny, model):
    c, _ = predictions(tiny, model)
    latent = sample(tiny, attach(model, EntropyGuidance(block=1, scale=5.0, rescale=1.0)), **FIRST)
    unscaled = sample(tiny, attach(model, EntropyGuidance(block=1, scale=5.0)), **FIRST)
    assert abs(latent.std() - as_latent(tiny, model, c).std()) < 0.02 * latent.std() < abs(unscaled.std() - latent.std())


@pytest.mark.parametrize("settings", [{"scale": float("nan")}, {"rule": "I - A"}, {"rescale": 1.5}, {"rows": 0}], ids=str)
def test_bad_settings_are_refused(settings):
    with pytest.raises(TemporalAttentionError):
        EntropyGuidance(**settings)


def test_with_context_windows_every_extra_prediction_runs_the_whole_network_and_the_log_says_so(tiny, model, caplog):
    caplog.set_level("INFO", logger="temporal_attention")
    in_windows, latent = windowed(model, 4, 2), (1, 16, 8, 8, 8)
    guided = sample(tiny, attach(in_windows, EntropyGuidance(block=1)), latent=latent, steps=2)
    assert not torch.equal(guided, sample(tiny, in_windows, latent=latent, steps=2))
    assert "ran the whole network" in caplog.text


@pytest.mark.parametrize(
    ("name", "latent", "length", "axis"),
    [("cogvideox_1.5", (1, 16, 22, 4, 4), 8, 2), ("wan_t2v", (1, 16, 3, 8, 16), 8, 4), ("wan_t2v", (1, 16, 3, 8, 16), 7, 4)],
    ids=["joined frames", "columns", "columns of one size"],
)
def test_no_window_goes_on_from_the_blocks_of_another(name, latent, length, axis):
    tiny = tiny_networks()[name]
    guided = windowed(attach(tiny.load(), EntropyGuidance(block=1, scale=2.0)), length, 2, axis)
    shared = sample(tiny, guided, latent=latent, steps=1)
    with patch.object(Prefixes, "resume", lambda *_: False):
        assert torch.equal(sample(tiny, guided, latent=latent, steps=1), shared)
