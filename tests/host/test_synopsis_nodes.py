"""The nodes on synopsis texts, reference videos and the attention of real videos, in the host."""

import clips  # of tests/unit
import comfy.context_windows
import comfy.model_management
import pytest
import torch
from comfy.nested_tensor import NestedTensor
from families import conditioning, sample, tiny_networks
from interventions import QueryGain, Watcher
from node_calls import call, run
from vision_models import CONFIGS, vision_model

from pack.nodes import _inputs as shared
from pack.nodes.frame_attention import FrameAttentionNode
from pack.nodes.frame_similarity import FrameSimilarityNode
from pack.nodes.parse_synopsis import ParseSynopsisNode
from pack.nodes.similarity_by_interval import SimilarityByIntervalNode
from pack.nodes.synopsis_instruction import SynopsisInstructionNode
from pack.nodes.tension_heatmap import TensionHeatmapNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.nodes.trace_info import TraceInfoNode
from pack.nodes.trace_video import TraceVideoNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.host.attach import attach
from pack.py.host.denoise_once import denoise_once, sigma_at
from pack.py.host.families import network_of
from pack.py.measures.frame_pairs import pairwise_cosine
from pack.py.prompts.key_prompts import parse_key_prompts
from tools.client import Client, PromptError
from tools.server import Server

SPREAD_OVER_FAMILIES = ("wan_t2v", "svd", "ltx_2", "cogvideox_t2v", "hunyuan_video_t2v", "cosmos", "wan_i2v_2.1")


def video(tiny, seed=5):
    """A LATENT that stands for a real video."""
    latent = torch.randn(tiny.latent, generator=torch.Generator().manual_seed(seed))
    audio = None if tiny.audio is None else torch.randn(tiny.latent[0], *tiny.audio[1:])
    return {"samples": latent if audio is None else NestedTensor([latent, audio])}


def traced(tiny, model, latent=None, **given):
    """(trace, latent) of Trace Video."""
    return run(TraceVideoNode, model=model, latent=latent or video(tiny), positive=conditioning(tiny, 1), **given)


def by_hand(model, latent, positive, sigma, seed):
    """The denoised latent by the equations of a flow model, and its network called directly."""
    inner = model.model
    comfy.model_management.load_models_gpu([model])
    noise = torch.randn(latent.shape, generator=torch.manual_seed(seed))
    x = sigma * noise + (1 - sigma) * inner.process_latent_in(latent)
    inner.current_patcher = model
    denoised = inner.apply_model(x, torch.tensor([sigma]), c_crossattn=positive[0][0], transformer_options={})
    return inner.process_latent_out(denoised)


@pytest.mark.parametrize("percent", [0.0, 0.3, 0.5, 1.0])
def test_one_prediction_is_that_of_the_equations(tiny, model, percent):
    latent = video(tiny)["samples"]
    _, predicted = traced(tiny, model, percent=percent, seed=11)
    sigma = sigma_at(model, percent)
    expected = by_hand(model, latent, conditioning(tiny, 1), sigma, 11)
    scale = float(expected.abs().max())
    torch.testing.assert_close(predicted["samples"], expected, atol=1e-4 * max(scale, 1 / sigma), rtol=0)


def test_percents_are_those_of_the_host_within_the_sigmas_of_the_model(model):
    sampling = model.get_model_object("model_sampling")
    assert sigma_at(model, 0.0) == pytest.approx(float(sampling.sigma_max))
    assert sigma_at(model, 1.0) == pytest.approx(float(sampling.sigma_min)) and sigma_at(model, 1.0) > 0
    assert sigma_at(model, 0.4) == pytest.approx(float(sampling.percent_to_sigma(0.4)))


@pytest.mark.parametrize("name", SPREAD_OVER_FAMILIES)
def test_the_network_is_called_once_in_every_family(name):
    tiny, log = tiny_networks()[name], []
    model = tiny.load()
    latent, calls = video(tiny), []
    hook = network_of(model).register_forward_pre_hook(lambda *_: calls.append(1))
    trace, predicted = traced(tiny, attach(model, Watcher(log=log)), latent, percent=0.5, blocks="0")
    hook.remove()
    assert len(calls) == 1
    forward = log[0][1]
    assert forward.step.progress == pytest.approx(0.5, abs=1e-3) and (forward.step.index, forward.step.total) == (0, 1)
    assert {branch.value for branch in forward.branches} == {"cond"}
    found = shared.traced_run(trace, predicted)
    assert found.exact and {r.site.block for r in found.trace.records} == {0}
    for part, like in zip(*(x.unbind() if x.is_nested else [x] for x in (predicted["samples"], latent["samples"])), strict=True):
        assert part.shape == like.shape and torch.isfinite(part).all()


def test_a_model_that_wants_guidance_at_1_is_still_asked_once(tiny, model):
    log = []
    watched = attach(model, Watcher(log=log))
    watched.set_model_sampler_post_cfg_function(lambda args: args["denoised"], disable_cfg1_optimization=True)
    traced(tiny, watched)
    assert {forward.branches for _, forward, *_ in log} == {log[0][1].branches} and len(log[0][1].branches) == 1


def test_views_draw_it_unchanged(tiny, model):
    trace, predicted = traced(tiny, attach(model, QueryGain(gain=2.0)))
    for node in (TensionHeatmapNode, FrameAttentionNode, SimilarityByIntervalNode):
        (image,) = run(node, trace=trace, samples=predicted)
        assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
    (report,) = run(TraceInfoNode, trace=trace, samples=predicted)
    assert "QueryGain acted on 3 calls, 1 of 1 steps, blocks 0-2" in report


def test_seeds_and_noise_levels_have_traces_of_their_own(tiny, model):
    runs = [traced(tiny, model, seed=seed, percent=percent) for seed, percent in ((0, 0.5), (1, 0.5), (0, 0.9))]
    found = [shared.traced_run(trace, latent) for trace, latent in runs]
    assert all(one.exact for one in found) and len({id(one.trace) for one in found}) == 3
    again = traced(tiny, model, seed=1, percent=0.5)[1]["samples"]
    assert torch.equal(again, runs[1][1]["samples"])


def test_little_noise_shows_the_video_and_much_hides_it(tiny, model):
    """The matrices of two videos are the same in pure noise, and differ where there is little of it."""
    one, other = video(tiny, 1), video(tiny, 2)

    def matrices(latent, percent):
        trace = shared.traced_run(*traced(tiny, model, latent, percent=percent)).trace
        return torch.stack([torch.from_numpy(r.values["frames"]) for r in trace.records])

    assert torch.allclose(matrices(one, 0.0), matrices(other, 0.0), atol=1e-5)
    assert not torch.allclose(matrices(one, 0.95), matrices(other, 0.95), atol=1e-3)


def test_the_model_and_the_latent_are_left_as_they_were(tiny, model):
    latent = video(tiny)
    before, plain = latent["samples"].clone(), sample(tiny, model)
    traced(tiny, model, latent)
    assert torch.equal(latent["samples"], before) and torch.equal(sample(tiny, model), plain)


def test_an_empty_latent_is_refused(tiny, model):
    for empty in (torch.zeros(tiny.latent), NestedTensor([torch.zeros(tiny.latent), torch.zeros(1, 2, 3)])):
        with pytest.raises(TemporalAttentionError, match="the latent of a video, but got an empty latent"):
            denoise_once(model, {"samples": empty}, conditioning(tiny, 1), 0.5, 0)


def test_a_noise_mask_and_other_parts_of_the_latent_pass_through(tiny, model):
    masked = {**video(tiny), "noise_mask": torch.zeros(1, 1, 8, 8), "batch_index": [3]}
    _, predicted = traced(tiny, model, masked)
    assert set(predicted) == set(masked)
    assert not torch.equal(predicted["samples"], traced(tiny, model)[1]["samples"]), "the noise of video 3 of the batch"


def test_an_interrupt_stops_it(tiny, model):
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        traced(tiny, model)


@pytest.fixture(scope="module")
def two_runs(tiny, model):
    """Sockets of a generated run and of a real video."""
    with torch.inference_mode():
        watched, trace = run(TraceAttentionNode, model=attach(model, QueryGain(gain=3.0)))
        real_trace, real = traced(tiny, model)
        generated = {"samples": sample(tiny, watched)}
        return {"trace": trace, "samples": generated, "other_trace": real_trace, "other_samples": real}


@pytest.mark.parametrize("blocks_as", ["mean of all", "each block"])
@pytest.mark.parametrize("when", ["after", "before", "before and after"])
def test_two_traces_and_two_similarities_in_one_chart(two_runs, blocks_as, when):
    similarity = run(FrameSimilarityNode, images=clips.pan(1.0))[0]
    given = {**two_runs, "similarity": similarity, "other_similarity": similarity}
    output = call(SimilarityByIntervalNode, **given, blocks_as=blocks_as, when=when)
    (image,) = output.args
    attention = 1 if blocks_as == "mean of all" else 2 * (1 + (when == "before and after"))
    assert image.shape[2:] == (1024, 3) and output.ui
    assert image.shape[1] == pytest.approx(128 * (0.7 + 3.8 * (attention + 1)), abs=2)


def test_before_and_after_are_not_the_same(two_runs):
    images = [run(SimilarityByIntervalNode, **two_runs, when=when)[0] for when in ("after", "before")]
    assert not torch.equal(*images)


def test_the_chart_says_what_is_missing(two_runs):
    with pytest.raises(TemporalAttentionError, match="a trace or a similarity, but got neither"):
        call(SimilarityByIntervalNode)
    with pytest.raises(TemporalAttentionError, match="the latent of the traced sampler at samples"):
        call(SimilarityByIntervalNode, other_trace=two_runs["other_trace"])
    with pytest.raises(TemporalAttentionError, match="The run has blocks 0-2 and steps 0-2"):
        call(SimilarityByIntervalNode, **two_runs, steps="7")


def test_similarity_by_ssim_and_by_a_vision_model():
    clip = clips.pan(2.0, frames=12)
    by_pixels, image = run(FrameSimilarityNode, images=clip)
    assert by_pixels.source.startswith("SSIM of 12 frames; from -0.") and by_pixels.spacing == 1
    assert by_pixels.matrix.shape == (12, 12) and by_pixels.matrix.min() == 0 and image.shape[2:] == (1024, 3)
    model = vision_model(CONFIGS["DINOv2"])
    by_model, _ = run(FrameSimilarityNode, images=clip, clip_vision=model, frames=5, stretch=False)
    assert by_model.source.startswith("DINOv2 of 5 frames, evenly spread over 12; from ") and by_model.spacing == 11 / 4
    vectors = model.encode_image(clip[[0, 3, 6, 8, 11]], crop=False)["image_embeds"]
    torch.testing.assert_close(by_model.matrix, pairwise_cosine(vectors).clamp(min=0), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "images,said", [(clips.still(2), "at least 3 frames in images"), (clips.still(5), "all alike"), (clips.still() / 0, "NaN")]
)
def test_a_reference_video_that_is_none_is_refused(images, said):
    with pytest.raises(TemporalAttentionError, match=said):
        call(FrameSimilarityNode, images=images)


def test_texts_pass_from_node_to_node():
    (instruction,) = run(SynopsisInstructionNode, prompt="a rose opens", states=2)
    assert "2 key states" in instruction and "a rose opens" in instruction
    key_prompts, report = run(ParseSynopsisNode, answer="Sure!\n\n0s: a bud\n2 seconds: a rose")
    assert key_prompts == "0s: a bud\n2s: a rose" and len(parse_key_prompts(key_prompts)) == 2
    assert report == "2 key prompts, at 0s, 2s\nleft out: Sure!"
    for node, given in ((SynopsisInstructionNode, "prompt"), (ParseSynopsisNode, "answer")):
        with pytest.raises(TemporalAttentionError):
            call(node, **{given: ""})


def test_context_windows_are_those_of_a_real_run(tiny, model):
    windowed = model.clone()
    windowed.model_options["context_handler"] = comfy.context_windows.IndexListContextHandler(
        context_schedule=comfy.context_windows.get_matching_context_schedule("standard_static"),
        fuse_method=comfy.context_windows.get_matching_fuse_method("pyramid"),
        context_length=4,
        context_overlap=2,
        dim=2,
    )
    latent = {"samples": torch.randn(1, 16, 8, 8, 8, generator=torch.Generator().manual_seed(0))}
    found = shared.traced_run(*traced(tiny, windowed, latent))
    frames = {r.frames for r in found.trace.records}
    assert found.exact and len(frames) > 1 and set().union(*frames) == set(range(8))


def test_in_a_running_server(tmp_path):
    trace = {"model": ["1", 0], "latent": ["4", 0], "positive": ["2", 0], "percent": 0.5, "seed": 1, "blocks": ""}
    text = {"class_type": "TA_SynopsisInstruction", "inputs": {"prompt": "a rose opens", "states": 0, "seconds": 2.0}}
    prompt = {
        "1": {"class_type": "TA_LoadDemoModel", "inputs": {}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a red circle"}},
        "3": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 33, "color": 4210752}},
        "4": {"class_type": "VAEEncode", "inputs": {"pixels": ["3", 0], "vae": ["1", 2]}},
        "5": {"class_type": "TA_TraceVideo", "inputs": {**trace, "estimator": "pooled", "rows": 4}},
        "6": {"class_type": "TA_FrameSimilarity", "inputs": {"images": ["3", 0], "frames": 9, "stretch": False}},
        "7": {
            "class_type": "TA_SimilarityByInterval",
            "inputs": {
                "trace": ["5", 0], "samples": ["5", 1], "similarity": ["6", 0], "name": "a", "other_name": "b",
                "blocks_as": "mean of all", "when": "after", "blocks": "", "steps": "", "branch": "cond only",
            },
        },
        "8": text,
        "9": {"class_type": "TA_ParseSynopsis", "inputs": {"answer": "1. a bud\n2. a rose"}},
        "10": {"class_type": "PreviewAny", "inputs": {"source": ["8", 0]}},
        "11": {"class_type": "PreviewAny", "inputs": {"source": ["9", 0]}},
    }  # fmt: skip
    with Server(tmp_path, cpu=True) as server:
        client = Client(server.url)
        shown = {output.node: output.content for output in client.outputs(client.follow(client.queue(prompt)))}
        assert shown["6"][:8] == shown["7"][:8] == b"\x89PNG\r\n\x1a\n"
        assert "Video prompt: a rose opens" in shown["10"] and shown["11"] == "a bud\na rose"
        prompt["9"]["inputs"]["answer"] = "2s: a bud\n1s: a rose"
        with pytest.raises(PromptError, match="got line 2 at 1s after 2s"):
            client.follow(client.queue(prompt))
