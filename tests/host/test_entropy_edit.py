"""Entropy Edit: source and target side by side, on every family with text, against runs of their own."""

import re
from contextlib import nullcontext

import comfy.controlnet
import comfy.hooks
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise, SamplerCustomAdvanced
from compare import relative
from families import conditioning, empty_latent, sample, tiny_networks
from interventions import QueryGain, Watcher
from node_calls import run

import nodes
from pack.nodes._inputs import traced_run
from pack.nodes.entropy_edit import EntropyEditNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.py.core.attention import Attention
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, Forward, Grid, Site, Step
from pack.py.core.intervention import Where
from pack.py.host.attach import attach
from pack.py.host.edit_guider import EditGuider
from pack.py.host.prefix import Prefixes
from pack.py.techniques.entropy_edit import PATTERNS, EntropyEdit
from pack.py.techniques.entropy_guidance import EntropyGuidance

NETWORKS = tiny_networks()
ONE_AT_A_TIME = {"svd", "animatediff", "hunyuan_video_reference", "minimax_h3"}  # the host takes one video there
WITH_AUDIO = {"ltx_2"}
STEPS = 2


@pytest.fixture(scope="module", params=[name for name in NETWORKS if name not in ONE_AT_A_TIME | WITH_AUDIO], ids=str)
def subject(request):
    """(tiny network, loaded MODEL)."""
    with torch.inference_mode():
        return NETWORKS[request.param], NETWORKS[request.param].load()


def prompt(tiny, seed, tokens=7):
    """Text of its own, everything else the same."""
    [[text, options]], [[_, shared]] = conditioning(tiny, seed, tokens), conditioning(tiny, 1)
    mask = {name: value for name, value in options.items() if name == "attention_mask"}
    return [[text, {**shared, **mask}]]


def edited(tiny, model, source=1, target=3, share=0.5, tokens=(7, 7), batch=1, mask=None, attention="self"):
    """The latents of an edit, by the host's sampler."""
    technique = EntropyEdit(share=share, where=PATTERNS[attention])
    guider = EditGuider(attach(model, technique), technique if share > 0 else None, mask)
    prompts = [prompt(tiny, seed, n) for seed, n in zip((source, target), tokens, strict=True)]
    guider.set_prompts(*prompts, conditioning(tiny, 2), 4.0)
    empty = empty_latent(tiny, (batch, *tiny.latent[1:]))
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS)
    noise = torch.randn(empty.shape, generator=torch.manual_seed(0))
    return guider.sample(noise, empty, comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=0)


def alone(tiny, model, seed, tokens=7):
    """The latent of an ordinary run with the same noise."""
    return sample(tiny, model, steps=STEPS, positive=prompt(tiny, seed, tokens), seed=0)


@pytest.mark.parametrize("attention", PATTERNS)
def test_without_any_block_the_target_is_a_video_of_its_own(subject, attention):
    tiny, model = subject
    assert relative(edited(tiny, model, share=0.0, attention=attention), alone(tiny, model, 3)) <= 1e-4


@pytest.mark.parametrize("attention", PATTERNS)
def test_with_the_same_prompt_in_all_blocks_the_target_is_the_source(subject, attention):
    tiny, model = subject
    assert relative(edited(tiny, model, source=3, target=3, share=1.0, attention=attention), alone(tiny, model, 3)) <= 1e-4


@pytest.mark.parametrize("name", ["svd", "animatediff"])
def test_networks_whose_batch_is_the_frames_are_refused(name):
    with torch.inference_mode(), pytest.raises(TemporalAttentionError, match="one of 4 dimensions"):
        edited(NETWORKS[name], NETWORKS[name].load())


@pytest.mark.parametrize("name", comfy.samplers.SAMPLER_NAMES)
def test_samplers_that_draw_noise_are_warned_of(tiny, model, caplog, name):
    """With one prompt on both sides their latents stay equal where no noise is drawn."""
    guider, asked = EditGuider(model, None, None), []
    guider.set_prompts(prompt(tiny, 3), prompt(tiny, 3), conditioning(tiny, 2), 4.0)
    predict, sampler = guider.predict_noise, comfy.samplers.sampler_object(name)
    guider.predict_noise = lambda x, *more, **named: asked.append(x.clone()) or predict(x, *more, **named)
    empty = empty_latent(tiny, tiny.latent)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 4)
    guider.sample(torch.randn(empty.shape, generator=torch.manual_seed(0)), empty, sampler, sigmas, disable_pbar=True, seed=0)
    apart = max(relative(x[1:2], x[:1]) for x in asked)
    assert ("other noise for the target" in caplog.text) == (apart > 0.01)


def test_an_edit_is_neither_the_source_nor_the_target_alone(subject):
    tiny, model = subject
    latent = edited(tiny, model, share=1.0)
    assert torch.isfinite(latent).all()
    assert min(relative(latent, alone(tiny, model, seed)) for seed in (1, 3)) > 1e-3


@pytest.mark.parametrize(
    "attention, kind, taken",
    [("self", "self", {1}), ("self", "cross", set()), *(("self and cross", k, {1}) for k in ("self", "cross"))],
)
def test_the_targets_queries_and_keys_are_the_sources_in_the_chosen_blocks(tiny, model, attention, kind, taken):
    log = []
    sharp = attach(model, QueryGain(gain=30.0, where=Where(blocks=frozenset({1}))))
    technique, watcher = EntropyEdit(share=0.34, where=PATTERNS[attention]), Watcher(log=log, where=Where(frozenset({kind})))
    guider = EditGuider(attach(sharp, technique, watcher), None, None)
    guider.set_prompts(conditioning(tiny, 1), conditioning(tiny, 3), conditioning(tiny, 2), 4.0)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS)
    noise = torch.randn(2, *tiny.latent[1:], generator=torch.manual_seed(0))
    guider.sample(noise, torch.zeros_like(noise), comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=0)
    second = [(site.block, q, k) for site, forward, _, q, k in log if forward.step.index == 1]
    assert {block for block, *_ in second} == {0, 1, 2}
    for block, q, k in second:
        for x in (q, k):
            assert torch.equal(x[1::2], x[::2]) == (block in taken)


def test_texts_of_different_lengths(tiny, model):
    assert relative(edited(tiny, model, share=0.0, tokens=(5, 7)), alone(tiny, model, 3)) <= 1e-4
    assert torch.isfinite(edited(tiny, model, share=1.0, tokens=(5, 7), attention="self and cross")).all()


@pytest.mark.parametrize("name", ["wan_t2v", "ltxv", "hunyuan_video_t2v", "mochi"])
@pytest.mark.parametrize("tokens", [(7, 7), (7, 5)], ids=str)
def test_where_the_network_reads_what_fills_a_text_up_the_log_says_so(name, tokens, caplog):
    tiny = NETWORKS[name]
    model = tiny.load()
    apart = relative(edited(tiny, model, share=0.0, tokens=tokens), alone(tiny, model, 3, tokens[1]))
    reads_padding = tokens[0] != tokens[1] and name != "ltxv"
    assert (apart > 1e-3) == reads_padding == ("The source's text has" in caplog.text)


def test_the_mask_of_a_text_belongs_to_the_pattern():
    q, k, masks = torch.randn(4, 1, 6, 2), torch.randn(4, 1, 3, 2), torch.randn(4, 1, 1, 3)
    technique, site = EntropyEdit(share=1.0, where=PATTERNS["self and cross"]), Site(0, 1, "cross", "text")
    forward = Forward(Step(0, 1, 1.0, 0.0, 1.0), Grid(1, 2, 3, 6), (Branch.COND,) * 4, (0, 1, 2, 3))
    technique.ballot(forward.memory).entropies[0] = 0.5
    technique.ballot(forward.memory).closed = True
    for bias in (masks, masks[:1], None):
        edited = technique.before(Attention(site, forward, q, k, k, bias, 1.0, None, (0, 1, 2, 3)))
        for new, old in ((edited.q, q), (edited.k, k), *([(edited.bias, bias)] if bias is masks else [])):
            assert torch.equal(new[1::2], old[::2]) and torch.equal(new[::2], old[::2])
        assert bias is masks or edited.bias is bias
        assert edited.v is k


def test_a_batch_of_two(tiny, model):
    assert edited(tiny, model, batch=2).shape[0] == 2


def test_outside_of_the_mask_the_video_is_the_source(tiny, model):
    mask = torch.zeros(1, 8, 8)
    mask[..., 4:] = 1
    latent, source = edited(tiny, model, mask=mask, share=0.0), alone(tiny, model, 1)
    assert relative(latent[..., :4], source[..., :4]) <= 1e-4
    assert relative(latent[..., 4:], source[..., 4:]) > 1e-2


def test_a_mask_of_another_size_is_resized(tiny, model, caplog):
    caplog.set_level("INFO", logger="temporal_attention")
    assert relative(edited(tiny, model, mask=torch.ones(1, 64, 64)), edited(tiny, model)) <= 1e-6
    assert caplog.text.count("resizes the mask") == 1


def test_the_measuring_prediction_is_no_part_of_the_run(tiny, model, monkeypatch):
    """Observers see the step once, as it was edited; guidance shares the blocks of the edited prediction."""
    log, asked = [], []
    guidance = EntropyGuidance(block=2, scale=2.0)
    watched = attach(model, guidance, Watcher(log=log))
    monkeypatch.setattr(EntropyGuidance, "guide", lambda self, p, guide=EntropyGuidance.guide: asked.append(1) or guide(self, p))
    shared = edited(tiny, watched, share=1.0, tokens=(5, 5))
    assert len(asked) == STEPS
    seen = [q for site, forward, _, q, _ in log if forward.branches[0] is Branch.COND]
    assert len(seen) == 3 * STEPS and all(torch.equal(q[1::2], q[::2]) for q in seen)
    monkeypatch.setattr(Prefixes, "resume", lambda *_: False)
    assert torch.equal(shared, edited(tiny, watched, share=1.0, tokens=(5, 5)))


def test_the_trace_of_an_edit_is_found_by_the_latent_it_returns(tiny, model):
    """Two edits on one traced MODEL, drawn or saved afterwards."""
    watched, trace = run(TraceAttentionNode, model=model)
    prompts = {name: conditioning(tiny, seed) for seed, name in enumerate(("source", "target", "negative"))}
    (guider,) = run(EntropyEditNode, model=watched, **prompts)
    sampler, sigmas = comfy.samplers.sampler_object("euler"), torch.tensor([1.0, 0.5, 0.0])
    for_sampling = guider, sampler, sigmas, {"samples": torch.zeros(tiny.latent)}
    latents = [SamplerCustomAdvanced.execute(Noise_RandomNoise(seed), *for_sampling).args[0] for seed in (0, 1)]
    for seed, latent in enumerate(latents):
        found = traced_run(trace, latent)
        assert found.exact and found.trace.facts["seed"] == seed
        assert {r.sample for r in found.trace.records} == {0, 1}, "source and target"


def test_prompts_with_different_inputs_are_refused(tiny, model):
    [[text, options]] = conditioning(tiny, 3)
    target = [[text, {**options, "reference_latents": [torch.zeros(tiny.latent)]}]]
    guider = EditGuider(attach(model, EntropyEdit()), None, None)
    guider.set_prompts(conditioning(tiny, 1), target, conditioning(tiny, 2), 4.0)
    noise, sigmas = torch.zeros(tiny.latent), torch.tensor([1.0, 0.0])
    with pytest.raises(TemporalAttentionError, match="reference_latent in only one of them"):
        guider.sample(noise, noise, comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=0)


def control_net():
    return comfy.controlnet.ControlNet(torch.nn.Linear(1, 1), load_device=torch.device("cpu"))


def hooked(cond, hooks):
    return comfy.hooks.set_hooks_for_conditioning(cond, hooks)


def applied(cond, net, image, strength=1.0):
    """As Apply ControlNet makes it, with settings of its own for each time it is called."""
    return nodes.ControlNetApplyAdvanced().apply_controlnet(cond, [], net, image, strength, 0.0, 1.0)[0]


LORA, OTHER_LORA = (comfy.hooks.create_hook_lora({}, 1.0, 1.0) for _ in range(2))
NET, IMAGE = control_net(), torch.ones(1, 8, 8, 3)
ONE_SIDED = {
    "timestep range": lambda cond: nodes.ConditioningSetTimestepRange().set_range(cond, 0.2, 1.0)[0],
    "strength": lambda cond: nodes.ConditioningSetAreaStrength().append(cond, 0.5)[0],
    "area": lambda cond: nodes.ConditioningSetArea().append(cond, 64, 64, 0, 0, 1.0)[0],
    "mask": lambda cond: nodes.ConditioningSetMask().append(cond, torch.ones(1, 8, 8), "default", 1.0)[0],
    "ControlNet": lambda cond: applied(cond, NET, IMAGE),
    "hooks (such as LoRA)": lambda cond: hooked(cond, LORA),
    "GLIGEN": lambda cond: [[cond[0][0], {**cond[0][1], "gligen": ("position", None, [])}]],
}


def node_output(model, source, target, tiny):
    return run(EntropyEditNode, model=model, source=source, target=target, negative=conditioning(tiny, 2))[0]


@pytest.mark.parametrize("said", ONE_SIDED)
def test_what_only_one_of_the_prompts_has_is_refused(tiny, model, said):
    source, target = conditioning(tiny, 1), conditioning(tiny, 3)
    for pair in ((source, ONE_SIDED[said](target)), (ONE_SIDED[said](source), target)):
        with pytest.raises(TemporalAttentionError, match=f"got another {re.escape(said)}. Send both through the same nodes"):
            node_output(model, *pair, tiny)
    node_output(model, *map(ONE_SIDED[said], (source, target)), tiny)


@pytest.mark.parametrize("both, other", [
    (lambda c: applied(c, NET, torch.ones(1, 8, 8, 3)), lambda c: applied(c, NET, IMAGE, 0.5)),
    (lambda c: applied(c, NET, IMAGE), lambda c: applied(c, NET, 0.5 * IMAGE)),
    (lambda c: applied(c, NET, IMAGE), lambda c: applied(c, control_net(), IMAGE)),
    (lambda c: applied(applied(c, NET, IMAGE), NET, IMAGE), lambda c: applied(c, NET, IMAGE)),
    (lambda c: hooked(c, LORA.clone()), lambda c: hooked(c, OTHER_LORA)),
    (lambda c: ONE_SIDED["area"](c), lambda c: nodes.ConditioningSetArea().append(c, 64, 32, 0, 0, 1.0)[0]),
], ids=["strength", "image", "network", "chain", "hooks", "area"])  # fmt: skip
def test_the_same_from_two_nodes_is_accepted_and_another_refused(tiny, model, both, other):
    source, target = conditioning(tiny, 1), conditioning(tiny, 3)
    node_output(model, both(source), both(target), tiny)
    with pytest.raises(TemporalAttentionError, match="differ only in their text"):
        node_output(model, both(source), other(target), tiny)


def test_settings_that_are_neutral_are_none(tiny, model):
    whole = nodes.ConditioningSetAreaStrength().append(conditioning(tiny, 3), 1.0)[0]
    whole = nodes.ConditioningSetTimestepRange().set_range(whole, 0.0, 1.0)[0]
    node_output(model, conditioning(tiny, 1), whole, tiny)


def test_an_input_that_holds_for_the_whole_batch_must_be_the_same():
    tiny = NETWORKS["hunyuan_video_t2v"]
    model, [[text, options]] = tiny.load(), conditioning(tiny, 3)
    for guidance, refused in ((6.0, False), (7.0, True)):
        guider = node_output(model, conditioning(tiny, 1), [[text, {**options, "guidance": guidance}]], tiny)
        noise, sigmas = torch.zeros(tiny.latent), torch.tensor([1.0, 0.0])
        with pytest.raises(TemporalAttentionError, match="the same guidance") if refused else nullcontext():
            guider.sample(noise, noise, comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=0)


def test_combined_prompts_are_refused(tiny, model):
    both = conditioning(tiny, 1) + conditioning(tiny, 3)
    with pytest.raises(TemporalAttentionError, match="one conditioning as source"):
        EntropyEditNode.execute(model, both, conditioning(tiny, 3), conditioning(tiny, 2), 4.0, 0.5, 0.0, 1.0)


def test_an_ordinary_sampler_is_told_that_there_are_no_pairs(tiny, model, caplog):
    caplog.set_level("INFO", logger="temporal_attention")
    assert torch.equal(sample(tiny, attach(model, EntropyEdit())), sample(tiny, model))
    assert "no pairs of source and target" in caplog.text
