"""Perturbation Sweep in the host: on tiny networks and on the trained demo model."""

import comfy.model_management
import comfy.utils
import pytest
import sweeps
import torch
from families import sample
from node_calls import run
from sweeps import NETWORKS, sweep_inputs

from pack.nodes._inputs import traced_run
from pack.nodes.load_demo_model import LoadDemoModel
from pack.nodes.perturbation_sweep import PerturbationSweepNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.host.families import blocks_of
from pack.py.measures.sweep import GROUPS

subject = sweeps.subject  # a fixture


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
