"""Key prompts in joint attention, on every family that reads its text so, against the same network edited by hand."""

import importlib
import math
from contextlib import ExitStack
from functools import partial
from unittest.mock import patch

import pytest
import torch
from compare import relative
from families import conditioning, sample, tiny_networks
from reference_edits import dense, measure, over_heads
from reference_families import FAMILIES, Video
from synopses import LENGTH, Clip, synopsis

from pack.nodes.video_synopsis_prompt import VideoSynopsisPromptNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.host.attach import attach
from pack.py.host.families import network_of
from pack.py.host.key_texts import KEY
from pack.py.techniques.vsp import VideoSynopsisPrompting

NETWORKS = tiny_networks()


@pytest.fixture(scope="module", params=[name for name in NETWORKS if name.startswith(("hunyuan", "cogvideox", "mochi"))], ids=str)
def joint(request):
    """(name, tiny network, loaded MODEL) where text and video are one sequence."""
    with torch.inference_mode():
        return request.param, NETWORKS[request.param], NETWORKS[request.param].load()


def test_equal_key_prompts_are_the_plain_conditioning_in_joint_attention_too(joint):
    """But for Mochi, which also pools all its text into one vector."""
    name, tiny, model = joint
    plain = sample(tiny, model, steps=1)
    given = sample(tiny, attach(model, VideoSynopsisPrompting(transition=1.0)), steps=1, positive=synopsis(tiny, [1, 1]))
    assert relative(given, plain) <= (0.05 if name == "mochi" else 1e-5)


def test_a_still_reads_the_first_key_prompt(joint):
    """It has no time, so its call is passed through: it must not read all of them side by side."""
    _, tiny, model = joint
    still = (*tiny.latent[:2], 1, *tiny.latent[3:])
    given = synopsis(tiny, [1, 11], latent=still)
    latent = sample(tiny, attach(model, VideoSynopsisPrompting()), steps=1, latent=still, positive=given)
    assert relative(latent, sample(tiny, model, steps=1, latent=still, positive=synopsis(tiny, [1], latent=still))) <= 1e-5


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
