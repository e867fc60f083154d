"""TempoControl, Word Attention and Tempo Report on the demo model, from node to picture, and what they say to bad input."""

import comfy.sample
import pytest
import torch
from families import tiny_networks
from node_calls import run

from pack.nodes.tempo_control import TempoControlNode
from pack.nodes.tempo_report import TempoReportNode
from pack.nodes.temporal_schedule import TemporalScheduleNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.nodes.word_attention import WordAttentionNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.store import RUNS
from pack.py.demo import network, text, vae

PROMPT = "a (red circle:1.2) moves left on a white background"


@pytest.fixture(scope="module")
def demo():
    """(MODEL, CLIP)."""
    with torch.inference_mode():
        return network.load_model(), text.load_clip()


def schedule(lines="red circle: 0=1, 13=0\nmoves"):
    return run(TemporalScheduleNode, schedule=lines)[0]


def sampled(model, clip, prompt=PROMPT, sampler="euler", batch=1):
    empty = torch.zeros(batch, 16, 9, 8, 8)
    noise = comfy.sample.prepare_noise(empty, 3)
    positive, negative = ([[clip.encode_from_tokens(clip.tokenize(words)), {}]] for words in (prompt, ""))
    return comfy.sample.sample(model, noise, 5, 1.25, sampler, "simple", positive, negative, empty, seed=0, disable_pbar=True)


def controlled(demo, **given):
    model, clip = demo
    return run(TempoControlNode, **{"model": model, "clip": clip, "tempo": schedule(), "prompt": PROMPT, "iterations": 2} | given)


@pytest.fixture(scope="module")
def traced(demo):
    """(trace, LATENT, decoded frames)."""
    with torch.inference_mode():
        model, trace = controlled(demo)
        latent = sampled(model, demo[1])
        return trace, {"samples": latent}, vae.load_vae().decode(latent)[0]


def test_it_acts_and_at_0_only_records(demo):
    plain = sampled(*demo)
    assert not torch.equal(sampled(controlled(demo)[0], demo[1]), plain)
    for off in ({"iterations": 0}, {"learning_rate": 0.0}):
        model, trace = controlled(demo, **off)
        latent = sampled(model, demo[1])
        assert torch.equal(latent, plain)
        assert run(WordAttentionNode, trace=trace, samples={"samples": latent})[0].shape[0] == 33
        with pytest.raises(TemporalAttentionError, match="Set iterations and learning_rate above 0"):
            run(TempoReportNode, trace=trace, samples={"samples": latent})


def test_settings_reach_the_technique(demo):
    model, trace = controlled(
        demo, learning_rate=0.002, iterations=7, stop_correlation=0.8, stop_ratio=0.0, lambda_magnitude=1.0, lambda_entropy=5.0,
        start_percent=0.1, end_percent=0.3, blocks="3-5", keep_attention=True,
    )  # fmt: skip
    technique, recorder = model.model_options["transformer_options"]["temporal_attention"]
    assert (technique.lr, technique.iterations, technique.stop_correlation, technique.stop_ratio) == (0.002, 7, 0.8, None)
    assert (technique.mass_weight, technique.entropy_weight, technique.keep_attention) == (1.0, 5.0, True)
    assert (technique.window.start, technique.window.end, technique.where.blocks) == (0.1, 0.3, {3, 4, 5})
    assert recorder is trace and recorder.where == technique.where
    assert technique.words.positions == ((1, 2), (3,)) and technique.words.compression == 4


def test_pictures(traced):
    trace, samples, images = traced
    (frames,) = run(WordAttentionNode, trace=trace, samples=samples, images=images, phrase=" Red  circle ")
    assert frames.shape[0] == len(images) == 33 and frames.shape[2:] == (640, 3)
    (other,) = run(WordAttentionNode, trace=trace, samples=samples, phrase="moves")
    assert other.shape == frames.shape and not torch.equal(other, frames)
    (chart,) = run(TempoReportNode, trace=trace, samples=samples)
    assert chart.shape[2:] == (1024, 3)


def test_the_trace_of_a_node_that_runs_again_is_that_of_the_first_run(traced, demo):
    """The host may drop the node's answer and keep the sampler's."""
    trace, samples, _ = traced
    _, again = controlled(demo, tempo=schedule())
    assert again is not trace
    pictures = [run(TempoReportNode, trace=one, samples=samples)[0] for one in (trace, again)]
    assert torch.equal(*pictures)


def test_two_controls_on_one_model_are_reported_apart(demo):
    model, first = controlled(demo)
    model, second = controlled(demo, model=model, tempo=schedule("moves: 0=0, 17=1"), iterations=3)
    samples = {"samples": sampled(model, demo[1])}
    one, other = (run(TempoReportNode, trace=trace, samples=samples)[0] for trace in (first, second))
    assert not torch.equal(one, other)


def test_a_phrase_or_a_trace_that_is_not_there(traced, demo):
    trace, samples, _ = traced
    with pytest.raises(TemporalAttentionError, match="red circle, moves"):
        run(WordAttentionNode, trace=trace, samples=samples, phrase="cat")
    _, other = run(TraceAttentionNode, model=demo[0])
    with pytest.raises(TemporalAttentionError, match="the trace of TempoControl"):
        run(TempoReportNode, trace=other, samples=samples)
    with pytest.raises(TemporalAttentionError, match="the trace of TempoControl, but got one from a file"):
        run(TempoReportNode, trace=RUNS.find(samples["samples"], trace).trace, samples=samples)


def test_a_run_of_another_text_has_no_map(demo):
    model, trace = controlled(demo, iterations=0)
    samples = {"samples": sampled(model, demo[1], prompt="a blue square stays still")}
    with pytest.raises(TemporalAttentionError, match="positive prompt is that of TempoControl"):
        run(WordAttentionNode, trace=trace, samples=samples)


@pytest.mark.parametrize(
    "given,said",
    [
        ({"prompt": " "}, "the positive prompt"),
        ({"prompt": "a blue square stays still"}, r"tokens a \| blue \| square"),
        ({"blocks": "6"}, "block 6"),
        ({"start_percent": 0.5}, "start 0.5"),
    ],
)
def test_bad_input(demo, given, said):
    with pytest.raises(TemporalAttentionError, match=said):
        controlled(demo, **given)


def test_a_model_that_reads_no_text(demo):
    with pytest.raises(TemporalAttentionError, match="whose video attends to text.*Stable Video Diffusion"):
        controlled(demo, model=tiny_networks()["svd"].load())


def test_another_prompt_at_the_sampler_and_a_sampler_that_forgets(demo):
    model, _ = controlled(demo)
    with pytest.raises(TemporalAttentionError, match="Connect the same text"):
        sampled(model, demo[1], prompt="a red circle moves left on a white background")
    with pytest.raises(TemporalAttentionError, match="euler works well"):
        sampled(model, demo[1], sampler="uni_pc")


def test_a_batch(demo):
    model, trace = controlled(demo)
    samples = {"samples": sampled(model, demo[1], batch=2)}
    first, second = (run(WordAttentionNode, trace=trace, samples=samples, sample=i)[0] for i in (0, 1))
    assert not torch.equal(first, second)
