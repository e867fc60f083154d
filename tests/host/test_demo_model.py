"""The demo model in a real ComfyUI: what core nodes and samplers make of its MODEL, CLIP and VAE."""

import logging
from random import Random
from types import SimpleNamespace

import comfy.cli_args
import comfy.sample
import comfy.sd
import latent_preview
import pytest
import torch
from comfy_extras import nodes_custom_sampler, nodes_hunyuan

import nodes
from pack.nodes.load_demo_model import LoadDemoModel
from pack.py.demo import captions, text, vocabulary, weights, world
from pack.py.demo.measure import measure
from pack.py.demo.verdict import judge

PROMPT = "a red circle moves left on a striped background"
STEPS, CFG, SHIFT, SEED = 20, 4.0, 3.0, 7


@pytest.fixture(autouse=True)
def inference_mode():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def demo() -> SimpleNamespace:
    with torch.inference_mode():
        model, clip, vae = LoadDemoModel.execute().args
    return SimpleNamespace(model=model, clip=clip, vae=vae)


def encode(clip: comfy.sd.CLIP, prompt: str) -> torch.Tensor:
    return clip.encode_from_tokens_scheduled(clip.tokenize(prompt))[0][0]


def sample(demo: SimpleNamespace, latent: torch.Tensor, callback=None) -> torch.Tensor:
    positive, negative = (demo.clip.encode_from_tokens_scheduled(demo.clip.tokenize(prompt)) for prompt in (PROMPT, ""))
    noise = comfy.sample.prepare_noise(latent, SEED)
    return comfy.sample.sample(
        demo.model,
        noise,
        STEPS,
        CFG,
        "euler",
        "simple",
        positive,
        negative,
        latent,
        seed=SEED,
        callback=callback,
        disable_pbar=True,
    )


def reference_sample(demo: SimpleNamespace, latent: torch.Tensor) -> torch.Tensor:
    """Flow matching by Euler steps with guidance, on the bare network."""
    network = demo.model.model.diffusion_model
    cond, uncond = encode(demo.clip, PROMPT), encode(demo.clip, "")
    x = torch.randn(latent.shape, generator=torch.Generator().manual_seed(SEED))
    uniform = torch.linspace(1, 0, STEPS + 1)
    sigmas = SHIFT * uniform / (1 + (SHIFT - 1) * uniform)
    for sigma, following in zip(sigmas[:-1], sigmas[1:], strict=True):
        time = 1000 * sigma[None]
        velocity_cond, velocity_uncond = (network(x, time, context=context) for context in (cond, uncond))
        x = x + (following - sigma) * (velocity_uncond + CFG * (velocity_cond - velocity_uncond))
    return x


def circle(frames: int = 33, height: int = 64, width: int = 64) -> torch.Tensor:
    """A red circle that moves right over gray, [F, H, W, 3] in [0, 1]."""
    y, x = torch.arange(height).view(1, -1, 1) - height / 2, torch.arange(width).view(1, 1, -1) - 16
    distance = torch.hypot(x - torch.arange(frames).view(-1, 1, 1), y.float())
    cover = (10 - distance).clamp(0, 1).unsqueeze(-1)
    return cover * torch.tensor([0.92, 0.12, 0.12]) + (1 - cover) * 0.45


# --- MODEL


def test_ksampler_equals_a_reference_sampler(demo):
    latent = torch.zeros(1, 16, 9, 8, 8)
    sizes = []
    samples = sample(demo, latent, callback=lambda step, denoised, x, total: sizes.append(x.std()))
    assert samples.isfinite().all()
    assert torch.equal(samples, sample(demo, latent))
    torch.testing.assert_close(samples, reference_sample(demo, latent), atol=1e-4, rtol=0)
    assert 0.5 < min(sizes) and max(*sizes, samples.std()) < 2


def test_loading_twice_gives_the_same_weights(demo):
    ours, again = (model.model.diffusion_model.state_dict() for model in (demo.model, LoadDemoModel.execute().args[0]))
    assert ours.keys() == again.keys() == weights.weights().keys()
    assert all(torch.equal(ours[name], again[name]) for name in ours)


def test_model_is_wan_in_float32(demo):
    network = demo.model.model.diffusion_model
    assert type(network).__name__ == "WanModel" and len(network.blocks) == 6
    assert network.num_heads == 4 and network.dim == 128 and network.text_dim == 96
    assert demo.model.model.get_dtype_inference() == torch.float32
    assert demo.model.get_model_object("model_sampling").shift == SHIFT


def test_the_weights_are_small_enough_for_the_repository():
    assert weights.FILE.stat().st_size < 10e6


def test_clips_show_what_the_prompts_say(demo):
    """A small sample of `python dev.py demo-quality`, which holds all figures."""
    random = Random(11)
    clips = [world.random_clip(random) for _ in range(8)]
    positive = torch.cat([encode(demo.clip, captions.caption(clip, random)) for clip in clips])
    latent = torch.zeros(8, 16, 9, 8, 8)
    samples = comfy.sample.sample(
        demo.model, comfy.sample.prepare_noise(latent, SEED), STEPS, CFG, "euler", "simple", [[positive, {}]],
        [[encode(demo.clip, ""), {}]], latent, seed=SEED, disable_pbar=True,
    )  # fmt: skip
    verdicts = [judge(clip, measure(video)) for clip, video in zip(clips, demo.vae.decode(samples), strict=True)]
    for part in ("present", "background", "colour"):
        assert sum(getattr(verdict, part) for verdict in verdicts) >= 7, part
    assert sum(verdict.shape for verdict in verdicts) >= 6


def test_deep_copy_is_the_same_model(demo):
    copy = demo.model.clone(force_deepcopy=True)
    assert copy.model is not demo.model.model
    latent = torch.zeros(1, 16, 2, 8, 8)
    assert torch.equal(sample(SimpleNamespace(model=copy, clip=demo.clip), latent), sample(demo, latent))


def test_preview_has_the_colours_of_the_video(demo, monkeypatch):
    monkeypatch.setattr(comfy.cli_args.args, "preview_method", comfy.cli_args.LatentPreviewMethod.Latent2RGB)
    previewer = latent_preview.get_previewer(demo.model.load_device, demo.model.model.latent_format)
    for colour in ([0.92, 0.12, 0.12], [0.15, 0.25, 0.95], [0.06, 0.06, 0.06], [0.92, 0.92, 0.92]):
        video = torch.tensor(colour).expand(5, 64, 48, 3)
        image = previewer.decode_latent_to_preview(demo.vae.encode(video))
        assert image.size == (6, 8)
        assert all(abs(got - 255 * want) <= 2 for got, want in zip(image.getpixel((2, 3)), colour, strict=True))


def test_latents_of_the_vae_reach_the_network_unscaled(demo):
    latent = demo.vae.encode(circle())
    assert torch.equal(demo.model.model.process_latent_in(latent), latent)
    assert torch.equal(demo.model.model.process_latent_out(latent), latent)


# --- VAE


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 64, 64), (5, 48, 80), (33, 64, 64), (33, 128, 96)])
def test_vae_shapes_and_quality(demo, frames, height, width):
    video = circle(frames, height, width)
    latent = demo.vae.encode(video)
    assert latent.shape == (1, 16, 1 + frames // 4, height // 8, width // 8)
    decoded = demo.vae.decode(latent)
    assert decoded.shape == (1, frames, height, width, 3) and 0 <= decoded.min() and decoded.max() <= 1
    assert -10 * torch.log10((decoded[0] - video).square().mean()) >= 20


def test_vae_round_trip_of_a_latent(demo):
    latent = demo.vae.encode(0.25 + 0.5 * circle())
    torch.testing.assert_close(demo.vae.encode(demo.vae.decode(latent)[0]), latent, atol=1e-4, rtol=0)


def test_vae_crops_what_wan_crops(demo):
    assert demo.vae.encode(circle(7, 67, 70)).shape == (1, 16, 2, 8, 8)


def test_vae_decodes_a_batch_and_its_tiles(demo):
    latent = torch.randn(2, 16, 3, 8, 12)
    decoded = demo.vae.decode(latent)
    assert decoded.shape == (2, 9, 64, 96, 3)
    torch.testing.assert_close(decoded[1:], demo.vae.decode(latent[1:]))
    torch.testing.assert_close(demo.vae.decode_tiled(latent, tile_x=4, tile_y=4, overlap=1), decoded, atol=1e-5, rtol=0)
    (tiled,) = nodes.VAEDecodeTiled().decode(demo.vae, {"samples": latent}, 64, 16, temporal_size=8, temporal_overlap=4)
    assert tiled.shape == (18, 64, 96, 3)


def test_vae_encodes_tiles(demo):
    video = circle(9, 64, 96)
    (tiled,) = nodes.VAEEncodeTiled().encode(demo.vae, video, 64, 16)
    torch.testing.assert_close(tiled["samples"], demo.vae.encode(video), atol=1e-5, rtol=0)


def test_vae_tells_its_ratios_and_memory(demo):
    vae = demo.vae
    assert (vae.spacial_compression_encode(), vae.spacial_compression_decode(), vae.temporal_compression_decode()) == (8, 8, 4)
    assert (vae.latent_channels, vae.latent_dim, vae.output_channels) == (16, 3, 3)
    video_bytes = 3 * 33 * 64 * 64 * 4
    assert video_bytes < vae.memory_used_decode((1, 16, 9, 8, 8), torch.float32) < 8 * video_bytes
    assert video_bytes < vae.memory_used_encode((1, 3, 33, 64, 64), torch.float32) < 8 * video_bytes
    assert vae.patcher.model is vae.first_stage_model and vae.model_size() == vae.patcher.model_size()
    assert vae.patcher.clone(force_deepcopy=True).model is not vae.first_stage_model


# --- CLIP


def ids(clip: comfy.sd.CLIP, prompt: str) -> list[int]:
    return [pair[0] for pair in clip.tokenize(prompt)[text.NAME][0]]


def test_one_token_a_word(demo):
    words = PROMPT.split()
    assert ids(demo.clip, PROMPT) == [vocabulary.WORD_IDS[word] for word in words] + [vocabulary.PAD] * (16 - len(words))
    assert ids(demo.clip, "A Red... circle, MOVES left; on a striped-background!") == ids(demo.clip, PROMPT)
    numbered = demo.clip.tokenize("(red:1.3) circle", return_word_ids=True)[text.NAME][0]
    red, circle = (vocabulary.WORD_IDS[word] for word in ("red", "circle"))
    assert numbered[:3] == [(red, 1.3, 1), (circle, 1.0, 2), (vocabulary.PAD, 1.0, 0)]
    assert [word for _, word in demo.clip.tokenizer.untokenize(numbered)[:3]] == ["red", "circle", ""]


def test_encoding_is_codes_then_zeros(demo):
    encoded = encode(demo.clip, "red circle")
    assert encoded.shape == (1, 16, 96) and encoded.dtype == torch.float32
    expected = vocabulary.word_codes()[ids(demo.clip, "red circle")] + vocabulary.position_codes()
    assert torch.equal(encoded[0, :2], expected[:2]) and not encoded[0, 2:].any()
    assert not encode(demo.clip, "").any()


def test_weight_changes_only_its_word(demo):
    plain, weighted = encode(demo.clip, PROMPT), encode(demo.clip, PROMPT.replace("red", "(red:1.3)"))
    torch.testing.assert_close(weighted[0, 1], 1.3 * plain[0, 1])
    plain[0, 1] = weighted[0, 1] = 0
    assert torch.equal(plain, weighted)


def test_unknown_words_are_skipped_with_one_warning(demo, caplog):
    with caplog.at_level(logging.WARNING, "temporal_attention"):
        assert ids(demo.clip, "a (fluffy:1.2) red zebra, fluffy circle") == ids(demo.clip, "a red circle")
    (record,) = caplog.records
    assert record.name == "temporal_attention"
    assert "unknown words: fluffy, zebra." in record.getMessage() and "triangle" in record.getMessage()


def test_long_prompts_lose_their_end_with_a_warning(demo, caplog):
    prompt = "red " * 14 + "big circle moves slowly"
    with caplog.at_level(logging.WARNING, "temporal_attention"):
        encoded = encode(demo.clip, prompt)
    assert encoded.shape == (1, 16, 96) and torch.equal(encoded, encode(demo.clip, "red " * 14 + "big circle"))
    (record,) = caplog.records
    assert "dropped: moves, slowly" in record.getMessage()


def test_clip_clones_moves_and_takes_a_layer(demo):
    clip = demo.clip.clone()
    clip.clip_layer(-2)
    assert torch.equal(encode(clip, PROMPT), encode(demo.clip, PROMPT))
    assert clip.patcher.clone(force_deepcopy=True).model is not demo.clip.cond_stage_model
    clip.patcher.unpatch_model(torch.device("cpu"))
    (conditioning,) = clip.encode_from_tokens_scheduled(clip.tokenize(PROMPT), add_dict={"guidance": 1.0})
    assert conditioning[1] == {"pooled_output": None, "guidance": 1.0}


# --- all of it through core nodes


def test_core_nodes_run_end_to_end(demo):
    positive, negative = (nodes.CLIPTextEncode().encode(demo.clip, prompt)[0] for prompt in (PROMPT, ""))
    latent = nodes_hunyuan.EmptyHunyuanLatentVideo.execute(64, 64, 33, 1).args[0]
    (sampled,) = nodes.KSampler().sample(demo.model, SEED, STEPS, CFG, "euler", "simple", positive, negative, latent)
    (images,) = nodes.VAEDecode().decode(demo.vae, sampled)
    assert images.shape == (33, 64, 64, 3) and images.isfinite().all() and images.std() > 0.05
    (encoded,) = nodes.VAEEncode().encode(demo.vae, images)
    assert encoded["samples"].shape == sampled["samples"].shape

    guider = nodes_custom_sampler.CFGGuider.execute(demo.model, positive, negative, CFG).args[0]
    custom = nodes_custom_sampler.SamplerCustomAdvanced.execute(
        nodes_custom_sampler.RandomNoise.execute(SEED).args[0],
        guider,
        nodes_custom_sampler.KSamplerSelect.execute("euler").args[0],
        nodes_custom_sampler.BasicScheduler.execute(demo.model, "simple", STEPS, 1.0).args[0],
        latent,
    ).args[0]
    torch.testing.assert_close(custom["samples"], sampled["samples"], atol=1e-5, rtol=0)


def test_video_to_video_keeps_the_clip_at_little_noise(demo):
    positive, negative = (nodes.CLIPTextEncode().encode(demo.clip, prompt)[0] for prompt in (PROMPT, ""))
    (latent,) = nodes.VAEEncode().encode(demo.vae, circle())
    (sampled,) = nodes.KSampler().sample(demo.model, SEED, 20, CFG, "euler", "simple", positive, negative, latent, denoise=0.05)
    correlation = torch.corrcoef(torch.stack([sampled["samples"].flatten(), latent["samples"].flatten()]))[0, 1]
    assert correlation > 0.9


def test_node_schema():
    schema = LoadDemoModel.GET_SCHEMA()
    assert schema.node_id == "TA_LoadDemoModel" and not schema.inputs
    assert [output.get_io_type() for output in schema.outputs] == ["MODEL", "CLIP", "VAE"]
    assert all(output.tooltip for output in schema.outputs) and schema.description and schema.search_aliases
