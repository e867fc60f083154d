"""Key prompts in cross-attention, on every family that reads its text so, against the same network edited by hand."""

import importlib
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import pytest
import torch
from families import conditioning, sample, tiny_networks
from reference_edits import dense, measure, over_heads
from reference_families import FAMILIES, Video
from synopses import LENGTH, synopsis

from pack.py.core.intervention import Intervention, Where
from pack.py.host.attach import attach
from pack.py.host.families import blocks_of, network_of
from pack.py.techniques.perturbation import UNIFORM, AttentionPerturbation
from pack.py.techniques.vsp import VideoSynopsisPrompting

NETWORKS = tiny_networks()
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


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def subject(request):
    """(tiny network, loaded MODEL)."""
    with torch.inference_mode():
        model = NETWORKS[request.param].load()
    if not reads_text(model):
        pytest.skip("no cross-attention to text")
    return NETWORKS[request.param], model


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
