"""The promises of the pack, for every technique and every tiny network found on disk."""

import gc
from dataclasses import replace

import pytest
import torch
from families import sample, tiny_networks
from found import acting, observers, strong, techniques
from inside import attentions_over_the_video, only_inside_blocks
from interventions import BlockShift, FrameBias, IdentityAttention, LowRankFrameBias, QueryGain, TokensSquared, Watcher
from reference_edits import edited_attention
from torch.utils._python_dispatch import TorchDispatchMode

from pack.py.core.events import Branch
from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.host.families import blocks_of, network_of

NETWORKS = tiny_networks()
EDITS = (QueryGain(), IdentityAttention(), FrameBias(), LowRankFrameBias(), BlockShift())
OTHER = {Branch.COND: Branch.UNCOND, Branch.UNCOND: Branch.COND}


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def subject(request):
    """(tiny network, loaded MODEL, latent without any node)."""
    tiny = NETWORKS[request.param]
    with torch.inference_mode():
        model = tiny.load()
        return tiny, model, sample(tiny, model)


@pytest.mark.parametrize("technique", techniques(), ids=lambda t: t.__name__)
def test_neutral_is_bit_identical(subject, technique):
    tiny, model, plain = subject
    assert torch.equal(sample(tiny, attach(model, technique.neutral())), plain)


@pytest.mark.parametrize("technique", acting(), ids=lambda t: t.__name__)
def test_acting_changes_the_result_and_repeats_exactly(subject, technique):
    tiny, model, plain = subject
    patched = attach(model, strong(technique))
    once = sample(tiny, patched)
    assert torch.isfinite(once).all() and not torch.equal(once, plain)
    assert torch.equal(sample(tiny, patched), once)


@pytest.mark.parametrize("technique", acting(), ids=lambda t: t.__name__)
def test_four_steps_without_guidance_are_enough_to_act(subject, technique):
    """Distilled models."""
    tiny, model, _ = subject
    distilled = {"steps": 4, "cfg": 1.0}
    assert not torch.equal(sample(tiny, attach(model, strong(technique)), **distilled), sample(tiny, model, **distilled))


def test_the_parent_is_untouched_and_nothing_is_left_behind(subject):
    tiny, model, plain = subject
    weights = {name: value.clone() for name, value in network_of(model).state_dict().items()}
    sample(tiny, attach(model, QueryGain(), BlockShift()))
    assert torch.equal(sample(tiny, model), plain)
    assert all(torch.equal(value, weights[name]) for name, value in network_of(model).state_dict().items())
    for module in network_of(model).modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
    assert "optimized_attention_override" not in model.model_options["transformer_options"]


@pytest.mark.parametrize("observer", observers(), ids=lambda o: o.__name__)
def test_every_block_and_its_attention_over_the_video_is_seen(subject, observer):
    tiny, model, _ = subject
    blocks = blocks_of(model)
    seen = attentions_over_the_video(model) if observer().has("seen") else len(blocks)
    trace = RUNS.find(sample(tiny, attach(model, observer()), steps=2), observer()).trace
    assert len(trace.records) == 2 * 2 * seen, "steps x (cond, uncond) x attentions or blocks"
    assert {r.site.block for r in trace.records} == set(range(len(blocks)))


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: type(e).__name__)
def test_edits_equal_the_network_edited_by_hand(subject, edit):
    tiny, model, _ = subject
    ours = sample(tiny, attach(model, edit), steps=1)
    with edited_attention(model, type(edit).__name__):
        by_hand = sample(tiny, model, steps=1)
    assert not torch.allclose(by_hand, sample(tiny, model, steps=1), atol=1e-3)
    assert (ours - by_hand).abs().max() <= 1e-5 * by_hand.abs().max()


def predictions(tiny, model):
    """The conditional and the unconditional prediction of the first step."""
    seen = []
    model = model.clone()
    model.set_model_sampler_post_cfg_function(lambda args: seen.append(args) or args["denoised"])
    sample(tiny, model, steps=1)
    return {Branch.COND: seen[0]["cond_denoised"], Branch.UNCOND: seen[0]["uncond_denoised"]}


@pytest.mark.parametrize("edit", [QueryGain(gain=3.0), LowRankFrameBias()], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("branch", Branch, ids=lambda b: b.value)
def test_only_the_chosen_branch_changes(subject, branch, edit):
    tiny, model, _ = subject
    plain, edited = predictions(tiny, model), predictions(tiny, attach(model, replace(edit, branch=branch)))
    assert not torch.equal(edited[branch], plain[branch])
    assert torch.equal(edited[OTHER[branch]], plain[OTHER[branch]])


class LargestTensor(TorchDispatchMode):
    """Records the number of elements of the largest tensor that any operation returned while `inside`."""

    inside, elements = False, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, tuple | list) else (out,):
            if self.inside and isinstance(x, torch.Tensor):
                self.elements = max(self.elements, x.numel())
        return out


def largest(tiny, model, *interventions):
    """Elements of the largest tensor made inside the blocks, on a latent of many tokens."""
    mode = LargestTensor()
    with only_inside_blocks(model, mode):
        sample(tiny, attach(model, *interventions), steps=1, cfg=1.0, latent=wide(tiny))
    return mode.elements


def wide(tiny):
    """The shape of a latent of many tokens."""
    return (*tiny.latent[:-2], 8 * tiny.latent[-2], 8 * tiny.latent[-1])


def test_no_technique_makes_a_tensor_of_tokens_squared(subject):
    tiny, model, _ = subject
    calls = []
    sample(tiny, attach(model, Watcher(log=calls)), steps=1, cfg=1.0, latent=wide(tiny))
    squared = max(forward.grid.alone.tokens for _, forward, *_ in calls) ** 2
    plain = largest(tiny, model)
    assert largest(tiny, model, *map(strong, techniques())) <= 1.25 * plain < squared, "heads may grow by a few columns"
    assert largest(tiny, model, TokensSquared()) >= squared, "the check would find one"


def test_memory_does_not_grow_over_runs(subject):
    tiny, model, _ = subject
    patched = attach(model, *map(strong, techniques()))

    def tensors_alive():
        sample(tiny, patched, steps=2)
        gc.collect()
        return sum(isinstance(obj, torch.Tensor) for obj in gc.get_objects())

    tensors_alive()
    first = tensors_alive()
    assert tensors_alive() <= first + 2
