"""Entropy Profile, Attention Perturbation and Perturbation Sweep in the host: on tiny networks and on the trained demo model."""

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import pytest
import torch
from families import conditioning, empty_latent, sample, tiny_networks
from node_calls import run
from reference_edits import edited_attention

from pack.nodes._inputs import numbers, traced_run
from pack.nodes.attention_perturbation import AttentionPerturbationNode
from pack.nodes.entropy_profile import EntropyProfileNode
from pack.nodes.frame_attention import FrameAttentionNode
from pack.nodes.load_demo_model import LoadDemoModel
from pack.nodes.perturbation_sweep import PerturbationSweepNode
from pack.nodes.tension_heatmap import TensionHeatmapNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.nodes.trace_info import TraceInfoNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.intervention import Where, Window
from pack.py.host.attach import attach
from pack.py.host.families import blocks_of
from pack.py.host.sigma_schedule import SigmaSchedule
from pack.py.host.trials import Prompts, Steps, Trials
from pack.py.measures.sweep import GROUPS
from pack.py.records.entropy_profile import profiles_of
from pack.py.techniques.perturbation import AttentionPerturbation

NETWORKS = tiny_networks()
THREE = ("wan_t2v", "svd", "hunyuan_video_t2v")
UNIFORM_0 = AttentionPerturbation(alpha=0.0, where=Where(blocks=frozenset({0})))


@pytest.fixture(scope="module", params=THREE)
def subject(request):
    """(tiny network, loaded MODEL)."""
    with torch.inference_mode():
        return NETWORKS[request.param], NETWORKS[request.param].load()


def sweep_inputs(tiny, **more):
    latent = {"samples": empty_latent(tiny, tiny.latent)}
    prompts = {"positive": conditioning(tiny, 1), "negative": conditioning(tiny, 2)}
    return {**prompts, "latent": latent, "steps": 4, "seed": 0, **more}


# Entropies of a run


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_attention_of_every_family_is_profiled(name):
    tiny = NETWORKS[name]
    model = tiny.load()
    watched, trace = run(TraceAttentionNode, model=model)
    bare, plainly = run(TraceAttentionNode, model=model, entropy_rows=0)
    latent, plain = ({"samples": sample(tiny, m, steps=2, packed=False)} for m in (watched, bare))
    assert all(map(torch.equal, *(x["samples"].unbind() for x in (latent, plain))))
    found, expected = traced_run(trace, latent).trace, traced_run(plainly, plain).trace
    assert [line for line in found.report if "passed" in line] == [line for line in expected.report if "passed" in line]
    assert len(found.holding("h_row").records) == len(expected.records)
    for profile in profiles_of(found).values():
        blocks = set(range(found.blocks))  # of AnimateDiff's only some have spatial attention before them
        assert set(profile.entropy) <= blocks if profile.name.startswith("spatial") else set(profile.entropy) == blocks
        assert 0 < profile.lowest + 1 and 1 < profile.mean <= 100.001
        assert ("cross" in profile.name) != bool(profile.energy)


def test_the_profile_node(subject):
    tiny, model = subject
    watched, trace = run(TraceAttentionNode, model=model)
    samples = {"samples": sample(tiny, watched)}
    bars, over_steps, report, highest, upper, lower = run(EntropyProfileNode, trace=trace, samples=samples)
    assert bars.shape[2:] == over_steps.shape[2:] == (1024, 3)
    blocks = traced_run(trace, samples).trace.blocks
    assert highest in numbers(upper, "") and sorted(numbers(upper, "") | (numbers(lower, "") or set())) == list(range(blocks))
    assert f"higher half: {upper}" in report
    kinds = {"svd": ("temporal attention", "spatial attention"), "wan_t2v": ("self-attention", "cross-attention to text")}
    for kind in kinds.get(next(n for n in THREE if NETWORKS[n] is tiny), ("joint attention",)):
        assert f"{kind}: mean entropy" in report
    with pytest.raises(TemporalAttentionError, match="choose steps that were recorded"):
        run(EntropyProfileNode, trace=trace, samples=samples, steps="50")


def test_pictures_of_frame_attention_are_the_same_with_and_without_entropies(subject):
    tiny, model = subject
    pictures = []
    for rows in (0, 64):
        watched, trace = run(TraceAttentionNode, model=model, entropy_rows=rows)
        given = {"trace": trace, "samples": {"samples": sample(tiny, watched)}}
        pictures.append([run(node, **given)[0] for node in (TensionHeatmapNode, FrameAttentionNode)])
        assert "largest |T|" in run(TraceInfoNode, **given)[0]
    assert all(map(torch.equal, *pictures))


def test_without_entropies_the_profile_says_what_to_set(tiny, model):
    watched, trace = run(TraceAttentionNode, model=model, entropy_rows=0)
    with pytest.raises(TemporalAttentionError, match="Set entropy_rows of Trace Attention above 0"):
        run(EntropyProfileNode, trace=trace, samples={"samples": sample(tiny, watched)})


# Perturbation


@pytest.mark.parametrize("name", ["wan_t2v", "svd"])
def test_identity_in_all_blocks_equals_the_network_edited_by_hand(name):
    tiny = NETWORKS[name]
    model = tiny.load()
    (patched,) = run(AttentionPerturbationNode, model=model, blocks="")
    ours = sample(tiny, patched, steps=1)
    with edited_attention(model, "IdentityAttention"):
        by_hand = sample(tiny, model, steps=1)
    assert (ours - by_hand).abs().max() <= 1e-5 * by_hand.abs().max() and not torch.equal(ours, sample(tiny, model, steps=1))


def test_strength_0_is_bit_identical_and_settings_reach_the_technique(tiny, model):
    (off,) = run(AttentionPerturbationNode, model=model, strength=0.0)
    assert torch.equal(sample(tiny, off), sample(tiny, model))
    (patched,) = run(
        AttentionPerturbationNode, model=model, replace_by="mix", identity_share=0.3, strength=0.7, blocks="0, 2",
        attention="self or temporal", start_percent=0.1, end_percent=0.6, branch="uncond only",
    )  # fmt: skip
    (technique,) = patched.model_options["transformer_options"]["temporal_attention"]
    assert (technique.alpha, technique.strength, technique.where.blocks) == (0.3, 0.7, {0, 2})
    assert (technique.window.start, technique.window.end, technique.branch.value) == (0.1, 0.6, "uncond")


@pytest.mark.parametrize("name,attention", [("svd", "spatial"), ("wan_t2v", "cross")])
def test_other_attentions_are_reached(name, attention):
    tiny = NETWORKS[name]
    model = tiny.load()
    (patched,) = run(AttentionPerturbationNode, model=model, attention=attention, replace_by="uniform")
    assert not torch.equal(sample(tiny, patched), sample(tiny, model))


@pytest.mark.parametrize("given,said", [
    ({"attention": "spatial"}, "spatial attention, but got Wan, which has cross, self attention"),
    ({"attention": "cross"}, "no identity"), ({"blocks": "7"}, "block 7"), ({"blocks": "x"}, "'x'"),
    ({"strength": 2.0}, "strength, but got 2"), ({"replace_by": "mix", "identity_share": float("nan")}, "alpha, but got nan"),
])  # fmt: skip
def test_bad_input_names_the_mistake(model, given, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(AttentionPerturbationNode, model=model, **given)


# One prediction, against the host's own sampler


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


# The sweep


@pytest.mark.parametrize("whole", [False, True])
def test_the_sweep_node(subject, whole):
    tiny, model = subject
    given = sweep_inputs(tiny)
    image, report = run(PerturbationSweepNode, model=model, whole_generations=whole, at_percent=0.5, **given)
    assert image.shape[2:] == (1024, 3)
    blocks = len(blocks_of(model))
    assert report.count(" identity ") == report.count(" uniform ") == blocks + len(groups_in(report))
    assert ("whole generations" in report) == whole and ("step 2 of 4" in report) != whole
    assert run(PerturbationSweepNode, model=model, whole_generations=whole, at_percent=0.5, **given)[1] == report


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("more", [{}, {"noise_mask": torch.ones(1, 1, 8, 8)}], ids=["video", "video with a mask"])
def test_a_video_is_swept_at_its_step(tiny, model, whole, more):
    """Its runs begin at the step, those of a latent with a mask at pure noise."""
    video = {"samples": torch.randn(tiny.latent, generator=torch.Generator().manual_seed(5)), **more}
    given = sweep_inputs(tiny, latent=video)
    _, report = run(PerturbationSweepNode, model=model, whole_generations=whole, at_percent=0.5, **given)
    assert ("step 2 of 4" in report) != whole and report.count(" identity ") == len(blocks_of(model)) + len(groups_in(report))


def groups_in(report):
    return {line.split(" (")[0] for line in report.splitlines() if line.startswith(GROUPS) and "(" in line}


def test_only_the_chosen_blocks_and_replacements_are_tried(tiny, model):
    _, report = run(PerturbationSweepNode, model=model, blocks="1", replace_by="uniform", **sweep_inputs(tiny))
    lines = [line.split()[0] for line in report.splitlines() if " uniform " in line]
    assert lines == ["1", "higher", "lower", "first", "last"] and " identity " not in report


def test_spatial_layers_and_cross_attention_are_swept():
    spatial = [(name, "spatial", "spatial attention") for name in ("svd", "animatediff")]  # the second has it in some blocks only
    for name, attention, said in (*spatial, ("wan_t2v", "cross", "cross-attention to text")):
        tiny = NETWORKS[name]
        _, report = run(PerturbationSweepNode, model=tiny.load(), attention=attention, **sweep_inputs(tiny))
        assert said in report.splitlines()[0] and (" identity " in report) == (attention == "spatial")


def test_without_a_negative_prompt_there_is_no_guidance(tiny, model):
    given = sweep_inputs(tiny)
    given.pop("negative")
    reports = [run(PerturbationSweepNode, model=model, cfg=cfg, **given)[1] for cfg in (1.0, 7.0)]
    assert reports[0] == reports[1]


def test_a_model_without_preview_colours_needs_its_vae():
    tiny = NETWORKS["cogvideox_t2v"]
    with pytest.raises(TemporalAttentionError, match="CogVideoX latents.*Connect its VAE"):
        run(PerturbationSweepNode, model=tiny.load(), **sweep_inputs(tiny))


@pytest.fixture
def bar(monkeypatch):
    """(value, total) of every step of a progress bar."""
    seen = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, *_, **__: seen.append((value, total)))
    monkeypatch.setattr(comfy.utils.time, "perf_counter", iter(range(10**6)).__next__)
    return seen


@pytest.mark.parametrize("whole", [False, True])
def test_one_bar_runs_through_all(tiny, model, bar, whole):
    run(PerturbationSweepNode, model=model, whole_generations=whole, at_percent=0.5, **sweep_inputs(tiny))
    values = [value for value, _ in bar]
    assert values == sorted(values) and len({total for _, total in bar}) == 1 and bar[-1][0] == bar[-1][1]


def test_an_interrupt_stops_it(tiny, model):
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(PerturbationSweepNode, model=model, **sweep_inputs(tiny))


def test_the_sweep_leaves_the_model_as_it_was(tiny, model):
    before = sample(tiny, model)
    run(PerturbationSweepNode, model=model, **sweep_inputs(tiny))
    assert torch.equal(sample(tiny, model), before)
    assert "temporal_attention" not in model.model_options["transformer_options"]


def test_a_sweep_on_a_traced_model_leaves_its_traces_alone(tiny, model):
    """What Trace Attention recorded is found as before: the sweep's many runs are none of the user's."""
    watched, trace = run(TraceAttentionNode, model=model)
    samples = {"samples": sample(tiny, watched)}
    before = traced_run(trace, samples).trace
    _, report = run(PerturbationSweepNode, model=watched, **sweep_inputs(tiny))
    found = traced_run(trace, samples)
    assert found.exact and found.trace is before
    assert traced_run(trace, {"samples": torch.ones(1)}).trace is before, "nor is a run of the sweep the newest"
    assert report == run(PerturbationSweepNode, model=model, **sweep_inputs(tiny))[1]


# The trained model


@pytest.mark.parametrize("decoded", [False, True])
def test_on_the_demo_model_uniform_stills_and_identity_costs_structure(decoded):
    """Section 3.3: toward U the video is static. On 12 of 12 prompts uniform in any half of the blocks stilled it."""
    model, clip, vae = LoadDemoModel.execute().args
    positive, negative = (clip.encode_from_tokens_scheduled(clip.tokenize(p)) for p in ("a red circle moves left on white", ""))
    given = {"positive": positive, "negative": negative, "latent": {"samples": torch.zeros(1, 16, 9, 8, 8)}, "seed": 7}
    _, report = run(PerturbationSweepNode, model=model, **given, **({"vae": vae} if decoded else {}))
    rows = [line.split()[-4:] for line in report.splitlines() if line.startswith(GROUPS) and "(" in line]
    for identity, uniform in zip(rows[::2], rows[1::2], strict=True):
        assert (identity[0], uniform[0]) == ("identity", "uniform") and float(uniform[3]) < 0
        assert float(identity[1]) > float(uniform[1]) and float(identity[2]) < float(uniform[2])
