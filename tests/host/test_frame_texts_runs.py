"""Video Synopsis Prompting on every family that reads its text by cross-attention, against the same network edited by hand."""

import importlib
import math
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import comfy.sample
import pytest
import torch
from comfy.ldm.modules.attention import optimized_attention
from compare import relative
from families import conditioning, sample, tiny_networks, windowed
from interventions import Watcher
from reference_edits import dense, measure, over_heads
from reference_families import FAMILIES, Video
from test_runs import split_batch

from pack.nodes.video_synopsis_prompt import VideoSynopsisPromptNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.frame_text import KeyMark
from pack.py.core.intervention import Intervention, Where
from pack.py.host.attach import attach
from pack.py.host.families import blocks_of, network_of
from pack.py.host.key_texts import KEY
from pack.py.maths.text_mixture import mixture
from pack.py.prompts.key_places import Placement
from pack.py.prompts.key_prompts import parse_key_prompts
from pack.py.techniques.perturbation import UNIFORM, AttentionPerturbation
from pack.py.techniques.vsp import VideoSynopsisPrompting

NETWORKS = tiny_networks()
LENGTH = 7
CROSS = Where(frozenset({"cross"}))


@dataclass(frozen=True, kw_only=True)
class KeyBias(Intervention):
    """A low-rank bias on the scores of the cross-attention that differs between the first words of a text."""

    where: Where = CROSS

    def before(self, call):
        words = torch.arange(call.k.shape[2]) % LENGTH
        return call.biased(torch.full((1, 1, call.q.shape[2], 1), 3.0), words.float().sin()[None, None, :, None])


def reads_text(model) -> bool:
    """Does the network read its text by cross-attention?"""
    return any(site.kind == "cross" and site.keys == "text" for block in blocks_of(model) for site in block.sites)


@pytest.fixture(scope="module", params=[name for name in NETWORKS if name.startswith(("hunyuan", "cogvideox", "mochi"))], ids=str)
def joint(request):
    """(name, tiny network, loaded MODEL) where text and video are one sequence."""
    with torch.inference_mode():
        return request.param, NETWORKS[request.param], NETWORKS[request.param].load()


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def subject(request):
    """(tiny network, loaded MODEL)."""
    with torch.inference_mode():
        model = NETWORKS[request.param].load()
    if not reads_text(model):
        pytest.skip("no cross-attention to text")
    return NETWORKS[request.param], model


def evenly(count):
    """Places of so many key prompts from the first to the last frame."""
    return lambda frames: (tuple(i * (frames - 1) / max(count - 1, 1) for i in range(count)), "")


def synopsis(tiny, seeds, lengths=None, latent=None, placement=None):
    """Conditioning of several key prompts; the same seed is the same text."""
    placement = placement or evenly(len(seeds))
    marked = []
    for index, seed in enumerate(seeds):
        tokens = lengths[index] if lengths else LENGTH
        [[text, options]] = conditioning(tiny, seed, tokens, latent)
        _, first = conditioning(tiny, 1, LENGTH, latent)[0]
        first = {k: v for k, v in first.items() if k != "attention_mask"}
        marked.append([text, {**options, **first, KEY: KeyMark(placement, index, len(seeds))}])
    return marked


def test_one_key_prompt_is_the_plain_conditioning_bit_for_bit(subject):
    tiny, model = subject
    vsp = attach(model, VideoSynopsisPrompting())
    assert torch.equal(sample(tiny, vsp, positive=synopsis(tiny, [1])), sample(tiny, model))


def test_equal_key_prompts_are_the_plain_conditioning(subject):
    tiny, model = subject
    plain = sample(tiny, model, steps=1)
    given = sample(tiny, attach(model, VideoSynopsisPrompting()), steps=1, positive=synopsis(tiny, [1, 1]))
    assert (given - plain).abs().max() <= 1e-5 * plain.abs().max()


@pytest.mark.parametrize("changed", [AttentionPerturbation(alpha=UNIFORM, where=CROSS), KeyBias()], ids=["uniform", "biased"])
def test_other_edits_of_the_cross_attention_reach_each_text_alone(tiny, model, changed):
    plain = sample(tiny, attach(model, changed), steps=1)
    given = sample(tiny, attach(model, VideoSynopsisPrompting(), changed), steps=1, positive=synopsis(tiny, [1, 1]))
    assert (given - plain).abs().max() <= 1e-5 * plain.abs().max()
    assert (plain - sample(tiny, model, steps=1)).abs().max() > 1e-3 * plain.abs().max()


def read_by_frame(network, texts):
    """Patches the network's attention: keys as long as `texts` texts are split among the frames by a dense mask."""
    family = FAMILIES[type(network).__name__]
    module, video = importlib.import_module(family.module), Video(family.after(network))
    hook = network.register_forward_pre_hook(partial(measure, family, video), with_kwargs=True)
    original = module.optimized_attention

    def attention(q, k, v, heads, mask=None, skip_reshape=False, **kwargs):
        queries, keys = (x.shape[2 if skip_reshape else 1] for x in (q, k))
        audio = queries not in (keys, video.frames * video.spatial) and queries < video.frames * video.spatial
        if keys != texts * LENGTH or audio:
            return original(q, k, v, heads, mask=mask, skip_reshape=skip_reshape, **kwargs)
        number = torch.arange(texts).repeat_interleave(LENGTH)
        if queries == keys:
            reads = number
        else:
            span, reads = video.span(queries), torch.full((queries,), texts - 1)
            reads[: span.start] = 0
            reads[span] = torch.arange(video.frames).repeat_interleave(video.spatial)
        hidden = torch.zeros(queries, keys).masked_fill(reads[:, None] != number, -torch.inf)
        mask = hidden if mask is None else hidden + over_heads(mask)
        return dense(q, k, v, heads, mask=mask, skip_reshape=skip_reshape, **kwargs)

    stack = ExitStack()
    stack.enter_context(patch.object(module, "optimized_attention", attention))
    stack.callback(hook.remove)
    return stack


def test_frames_read_their_own_mixture(subject):
    """Two key prompts, cross-fading all the way, on three frames: the first, half of both, the second."""
    tiny, model = subject
    frames = 3 if tiny.latent[2] == 3 else pytest.skip("written for three frames")
    first, second = (conditioning(tiny, seed) for seed in (1, 5))
    by_hand = torch.cat([first[0][0], (first[0][0] + second[0][0]) / 2, second[0][0]], dim=1)
    options = dict(first[0][1])
    if tiny.masked:
        options["attention_mask"] = options["attention_mask"].repeat(1, frames)
    with read_by_frame(network_of(model), frames):
        expected = sample(tiny, model, steps=1, positive=[[by_hand, options]])
    plain = sample(tiny, model, steps=1)
    given = sample(tiny, attach(model, VideoSynopsisPrompting(transition=1.0)), steps=1, positive=synopsis(tiny, [1, 5]))
    assert (given - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert (given - plain).abs().max() > 1e-3 * plain.abs().max()


def test_equal_key_prompts_are_the_plain_conditioning_in_joint_attention_too(joint):
    """But for Mochi, which also pools all its text into one vector."""
    name, tiny, model = joint
    plain = sample(tiny, model, steps=1)
    given = sample(tiny, attach(model, VideoSynopsisPrompting(transition=1.0)), steps=1, positive=synopsis(tiny, [1, 1]))
    assert relative(given, plain) <= (0.05 if name == "mochi" else 1e-5)


class Clip:
    """A text encoder whose embedding of a text is seeded by its length."""

    def tokenize(self, text):
        return text

    def encode_from_tokens_scheduled(self, text):
        return conditioning(tiny_networks()["wan_t2v"], len(text))


def test_the_node_takes_models_of_joint_attention(joint):
    _, _, model = joint
    settings = {"transition": 0.25, "fps": 16.0, "interpolation": "linear"}
    _, positive = VideoSynopsisPromptNode.execute(model, Clip(), "a bud\na rose", **settings).args
    assert [options[KEY].index for _, options in positive] == [0, 1]


@pytest.mark.parametrize("name", ["svd", "minimax_h3"])
def test_the_node_refuses_models_whose_frames_cannot_read_texts_of_their_own(name):
    with pytest.raises(TemporalAttentionError, match="each frame can read its own text"):
        VideoSynopsisPromptNode.execute(NETWORKS[name].load(), Clip(), "a bud\na rose", 0.25, 16.0, "linear")


def weigh_by_frame(network, name, length):
    """Patches the network's attention: a dense bias weighs two texts of this length, latent frame f by f / (frames - 1)."""
    family = FAMILIES[type(network).__name__]
    modules = {importlib.import_module(family.module), importlib.import_module(type(network).__module__)}
    video = Video(family.after(network))
    texts = 2 * length

    def weights(tokens):
        bias = torch.zeros(tokens, tokens)
        start = 0
        if tokens > texts:  # not the refiner
            span = video.span(tokens)
            reference = video.spatial if name == "hunyuan_video_reference" else 0
            start = span.stop if name == "mochi" else span.start - reference - texts
            bias[:, start : start + texts] = math.log(0.5)
            joined = 2 if name == "cogvideox_1.5" else 1
            share = torch.linspace(0, 1, joined * video.frames).unflatten(0, (-1, joined)).mean(1)
            second = share.repeat_interleave(video.spatial)[:, None]
            bias[span, start : start + length] = torch.log(1 - second)
            bias[span, start + length : start + texts] = torch.log(second)
        one, other = slice(start, start + length), slice(start + length, start + texts)
        bias[one, one], bias[other, other] = 0, 0
        bias[one, other], bias[other, one] = -torch.inf, -torch.inf
        return bias

    def attention(q, k, v, heads, mask=None, skip_reshape=False, **kwargs):
        bias = weights(q.shape[2 if skip_reshape else 1])
        bias = bias if mask is None else bias + over_heads(mask)
        return dense(q, k, v, heads, mask=bias, skip_reshape=skip_reshape, **kwargs)

    stack = ExitStack()
    for module in modules:
        if hasattr(module, "optimized_attention"):
            stack.enter_context(patch.object(module, "optimized_attention", attention))
    stack.callback(network.register_forward_pre_hook(partial(measure, family, video), with_kwargs=True).remove)
    return stack


def test_frames_weigh_key_prompts_in_joint_attention(joint):
    name, tiny, model = joint
    used = LENGTH - 1 if tiny.masked else LENGTH
    texts = [conditioning(tiny, seed)[0][0][:, :used] for seed in (1, 5)]
    options = dict(conditioning(tiny, 1)[0][1])
    if tiny.masked:
        options["attention_mask"] = torch.ones(1, 2 * used, dtype=torch.long)
    once = {"steps": 1, "cfg": 1.0}
    with weigh_by_frame(network_of(model), name, used):
        expected = sample(tiny, model, positive=[[torch.cat(texts, 1), options]], **once)
    given = sample(tiny, attach(model, VideoSynopsisPrompting(transition=1.0)), positive=synopsis(tiny, [1, 5]), **once)
    assert relative(given, expected) <= 1e-5
    assert relative(given, sample(tiny, model, **once)) > 1e-4


@pytest.mark.parametrize("uncond_tokens", [LENGTH, 5], ids=["batched", "separate"])
def test_the_negative_prompt_is_untouched(tiny, model, uncond_tokens):
    seen = []
    for subject, positive in ((model, None), (attach(model, VideoSynopsisPrompting()), synopsis(tiny, [1, 5]))):
        watched = subject.clone()
        watched.set_model_sampler_post_cfg_function(lambda args: seen.append(args) or args["denoised"])
        sample(tiny, watched, steps=1, uncond_tokens=uncond_tokens, positive=positive)
    plain, given = seen
    assert torch.equal(given["uncond_denoised"], plain["uncond_denoised"])
    assert not torch.equal(given["cond_denoised"], plain["cond_denoised"])


def test_key_prompts_of_different_lengths_are_padded(tiny, model):
    """A longer text is what the host would make of a shorter one by padding it with zeros."""
    padded = synopsis(tiny, [1, 5])
    padded[1][0] = torch.cat([padded[1][0][:, :4], torch.zeros(1, 3, tiny.text_width)], dim=1)
    short = synopsis(tiny, [1, 5])
    short[1][0] = short[1][0][:, :4]
    vsp = attach(model, VideoSynopsisPrompting())
    assert torch.equal(sample(tiny, vsp, positive=short), sample(tiny, vsp, positive=padded))


def test_two_samples_read_the_same_texts(tiny, model):
    """The two noises of a batch, each as if it were sampled alone."""
    vsp, positive, negative = attach(model, VideoSynopsisPrompting()), synopsis(tiny, [1, 5]), conditioning(tiny, 2)
    noise = torch.randn(2, *tiny.latent[1:], generator=torch.manual_seed(0))

    def sampled(noise):
        empty = torch.zeros_like(noise)
        return comfy.sample.sample(vsp, noise, 2, 4.0, "euler", "simple", positive, negative, empty, seed=0, disable_pbar=True)

    assert relative(sampled(noise), torch.cat([sampled(noise[:1]), sampled(noise[1:])])) <= 1e-5


def plans(log):
    """The forward of each call with key prompts, and what each of its frames reads."""
    rows = ((forward, next(row.plan for row in forward.text.rows if row)) for _, forward, *_ in log if any(forward.keys))
    return [(forward, [plan.mixtures[n] for n in plan.of_frame]) for forward, plan in rows]


def test_places_are_in_latent_frames_where_the_network_joins_them():
    """85 video frames are 22 latent frames, of which CogVideoX 1.5 makes 11 frames of tokens; a key prompt lies in the middle."""
    tiny, latent, log = NETWORKS["cogvideox_1.5"], (1, 16, 22, 4, 4), []
    placement = Placement(parse_key_prompts("f0: a\nf40: b\nf84: c"), 4, 16.0)
    vsp = attach(tiny.load(), VideoSynopsisPrompting(transition=0.0), Watcher(log=log))
    sample(tiny, vsp, steps=1, cfg=1.0, latent=latent, positive=synopsis(tiny, [1, 3, 5], latent=latent, placement=placement))
    [read] = map(list, {tuple(read) for _, read in plans(log)})
    places, _ = placement(22)
    assert places[0] == 0 and 10 < places[1] < 11 and places[2] == 21
    assert read == [mixture(2 * frame + 0.5, places, 0.0) for frame in range(11)]
    assert [each.first for each in read] == [0] * 3 + [1] * 5 + [2] * 3


@pytest.mark.parametrize(("length", "overlap"), [(8, 2), (7, 2), (6, 3)])
def test_a_context_window_of_joined_frames_reads_what_it_reads_in_the_whole_video(length, overlap):
    """Windows that begin within a patch of the whole video join other frames than it does."""
    tiny, latent, log = NETWORKS["cogvideox_1.5"], (1, 16, 22, 4, 4), []
    vsp = windowed(attach(tiny.load(), VideoSynopsisPrompting(transition=1.0), Watcher(log=log)), length, overlap)
    sample(tiny, vsp, steps=1, cfg=1.0, latent=latent, positive=synopsis(tiny, [1, 3], latent=latent))
    found = plans(log)
    assert {frame for forward, _ in found for held in forward.latents.held for frame in held} == set(range(22))
    for forward, read in found:
        assert len(read) == forward.grid.frames == len(forward.frames) and forward.whole == 11
        assert read == [mixture(sum(held) / len(held), (0.0, 21.0), 1.0) for held in forward.latents.held]


def test_a_context_window_reads_what_its_frames_read_in_the_whole_video(tiny, model):
    log = []
    patched = attach(windowed(model, 4, 2), VideoSynopsisPrompting(transition=1.0), Watcher(log=log))
    positive = synopsis(tiny, [1, 5], latent=(1, 16, 9, 8, 8))
    sample(tiny, patched, steps=1, latent=(1, 16, 9, 8, 8), positive=positive)
    found = plans(log)
    assert len({forward.frames for forward, _ in found}) > 1
    for forward, read in found:
        assert read == [mixture(frame, (0.0, 8.0), 1.0) for frame in forward.frames] and forward.whole == 9


def test_a_model_without_the_node_still_samples(tiny, model):
    """The host then averages the predictions of all key prompts."""
    assert torch.isfinite(sample(tiny, model, positive=synopsis(tiny, [1, 5]))).all()


def test_a_synopsis_that_was_taken_apart_is_refused(tiny, model):
    vsp = attach(model, VideoSynopsisPrompting())
    with pytest.raises(TemporalAttentionError, match="some are missing"):
        sample(tiny, vsp, positive=synopsis(tiny, [1, 5, 6])[:2])


def guided(tiny, conds):
    """Conditionings as they are where the last latent frame of LTX is a guide."""
    coordinates = torch.zeros(1, 3, tiny.latent[3] * tiny.latent[4], 2)
    coordinates[..., 1] = 1
    return [[text, {**options, "keyframe_idxs": coordinates}] for text, options in conds]


def test_key_prompts_are_refused_where_guides_take_tokens_out_of_the_video(caplog):
    """A run with a single prompt is passed through there, and says so."""
    tiny = NETWORKS["ltxv"]
    model, mask = tiny.load(), torch.ones(1, 1, tiny.latent[2], 1, 1)
    one, several = (guided(tiny, synopsis(tiny, seeds)) for seeds in ([1], [1, 5]))
    given = {"steps": 1, "cfg": 1.0, "noise_mask": mask}
    plain = sample(tiny, model, positive=one, **given)
    assert torch.equal(sample(tiny, attach(model, VideoSynopsisPrompting()), positive=one, **given), plain)
    assert "guides or keyframes" in caplog.text
    with pytest.raises(TemporalAttentionError, match="one prompt for all frames"):
        sample(tiny, attach(model, VideoSynopsisPrompting()), positive=several, **given)


def test_key_prompts_are_refused_where_another_node_splits_the_batch(tiny, model):
    split = model.clone()
    split.set_model_unet_function_wrapper(split_batch)
    with pytest.raises(TemporalAttentionError, match="split the batch"):
        sample(tiny, attach(split, VideoSynopsisPrompting()), steps=1, positive=synopsis(tiny, [1, 5]))


def test_of_several_nodes_on_a_model_the_last_decides(tiny, model):
    last = attach(model, VideoSynopsisPrompting(transition=1.0))
    stacked = attach(model, VideoSynopsisPrompting(transition=0.0), VideoSynopsisPrompting(transition=1.0))
    results = [sample(tiny, m, steps=1, positive=synopsis(tiny, [1, 5])) for m in (last, stacked)]
    assert torch.equal(*results)


def test_the_node_encodes_each_key_prompt_and_does_not_guess_the_length_of_the_video(tiny, model, caplog):
    settings = {"transition": 0.25, "fps": 16.0, "interpolation": "linear"}
    vsp, positive = VideoSynopsisPromptNode.execute(model, Clip(), "0s: a bud\n5s: a rose", **settings).args
    assert [options[KEY].index for _, options in positive] == [0, 1] and positive[0][1][KEY].count == 2
    assert torch.equal(positive[1][0], conditioning(tiny, len("a rose"))[0][0])
    assert "past the end" not in caplog.text
    assert not torch.equal(sample(tiny, vsp, positive=positive), sample(tiny, model, positive=positive[:1]))
    sample(tiny, vsp, positive=positive)
    assert caplog.text.count("past the end of the video (9 frames") == 2, "once a run"
    with pytest.raises(TemporalAttentionError, match="frames per second"):
        VideoSynopsisPromptNode.execute(model, Clip(), "a bud\na rose", **settings | {"fps": 0.0})


def test_a_plain_conditioning_is_reported(tiny, model, caplog):
    caplog.set_level("INFO", logger="temporal_attention")
    plain = sample(tiny, attach(model, VideoSynopsisPrompting()))
    assert torch.equal(plain, sample(tiny, model)) and "key prompts" in caplog.text


class RowByRow:
    """Another pack's forward of a cross-attention, which asks the kernel for each row of the batch alone."""

    def __init__(self, module):
        self.module = module

    def __call__(self, x, context, transformer_options, **_):
        own = self.module
        rows = []
        for one, text in zip(x.split(1), context.split(1), strict=True):
            given = own.norm_q(own.q(one)), own.norm_k(own.k(text)), own.v(text)
            rows.append(optimized_attention(*given, own.num_heads, transformer_options=transformer_options))
        return own.o(torch.cat(rows))


def test_key_prompts_in_an_attention_that_is_passed_through_stop_the_run(tiny, model):
    """Each frame would read the texts of all frames, side by side."""
    changed = model.clone()
    for i, block in enumerate(model.model.diffusion_model.blocks):
        changed.add_object_patch(f"diffusion_model.blocks.{i}.cross_attn.forward", RowByRow(block.cross_attn))
    vsp = attach(changed, VideoSynopsisPrompting())
    alone = {"positive": synopsis(tiny, [1, 5]), "cfg": 1.0}
    assert torch.equal(sample(tiny, vsp, **alone), sample(tiny, attach(model, VideoSynopsisPrompting()), **alone))
    with pytest.raises(TemporalAttentionError, match="Remove the node that changes attention to text"):
        sample(tiny, vsp, positive=synopsis(tiny, [1, 5]), cfg=4.0)
