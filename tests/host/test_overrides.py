"""The host has one attention slot; whoever else sets it, wherever and whenever, still runs, inside ours."""

import pytest
import torch
from comfy.patcher_extension import WrappersMP
from compare import relative
from families import sample, tiny_networks
from interventions import QueryGain, Watcher

from pack.py.core.intervention import Where
from pack.py.host.attach import attach
from pack.py.techniques.tar import TemporalAttentionRegularization

SLOT = "optimized_attention_override"


class Other:
    """Another pack's override: counts its calls and doubles v, so that its effect shows."""

    def __init__(self, predecessor=None):
        self.calls, self.predecessor = 0, predecessor

    def __call__(self, func, q, k, v, *args, **kwargs):
        self.calls += 1
        if self.predecessor is not None:
            return self.predecessor(func, q, k, 2 * v, *args, **kwargs)
        return func(q, k, 2 * v, *args, **kwargs)


def in_slot(model, other):
    model = model.clone()
    model.model_options["transformer_options"][SLOT] = other
    return model


def in_wrapper(model, other, kind, chained=False):
    """The other pack sets the slot from a wrapper of its own, at every forward."""
    model = model.clone()

    def wrapper(executor, *args, **kwargs):
        options = next(a for a in (*args, *kwargs.values()) if isinstance(a, dict) and "sigmas" in a)
        if chained:
            other.predecessor = options.get(SLOT)
        options[SLOT] = other
        return executor(*args, **kwargs)

    model.add_wrapper_with_key(kind, "other pack", wrapper)
    return model


WAYS = {
    "slot set before us": lambda model, other: attach(in_slot(model, other), QueryGain()),
    "slot set after us": lambda model, other: in_slot(attach(model, QueryGain()), other),
    "apply_model wrapper before us": lambda m, o: attach(in_wrapper(m, o, WrappersMP.APPLY_MODEL), QueryGain()),
    "apply_model wrapper after us": lambda m, o: in_wrapper(attach(m, QueryGain()), o, WrappersMP.APPLY_MODEL),
    "network wrapper before us": lambda m, o: attach(in_wrapper(m, o, WrappersMP.DIFFUSION_MODEL), QueryGain()),
    "network wrapper after us": lambda m, o: in_wrapper(attach(m, QueryGain()), o, WrappersMP.DIFFUSION_MODEL),
    "network wrapper that chains": lambda m, o: in_wrapper(attach(m, QueryGain()), o, WrappersMP.DIFFUSION_MODEL, chained=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_both_act(tiny, model, way):
    steps, blocks, kinds = 2, 3, 2
    ours_only = sample(tiny, attach(model, QueryGain()), steps=steps)
    other_only = sample(tiny, in_slot(model, Other()), steps=steps)
    other = Other()
    both = sample(tiny, WAYS[way](model, other), steps=steps)
    assert other.calls == steps * blocks * kinds, "cond and uncond share a batch; self and cross attention both pass"
    assert not torch.equal(both, ours_only) and not torch.equal(both, other_only)
    reference = sample(tiny, attach(in_slot(model, Other()), QueryGain()), steps=steps)
    assert torch.equal(both, reference), "the order of installation must not matter"


def test_an_override_set_inside_a_block_keeps_running_and_sees_us_once(tiny, model):
    """A patch that replaces a block and chains onto whatever is in the slot: ours then calls theirs, and theirs ours."""
    patched = attach(model, QueryGain())
    others = []

    def replace(args, extra):
        options = dict(args["transformer_options"])
        other = Other(options.get(SLOT))
        others.append(other)
        options[SLOT] = other
        return extra["original_block"]({**args, "transformer_options": options})

    patched.set_model_patch_replace(replace, "dit", "double_block", 1)
    out = sample(tiny, patched, steps=1)
    assert torch.isfinite(out).all() and [other.calls for other in others] == [2]


def test_an_override_from_before_still_runs_where_another_chains_inside_a_block(tiny, model):
    first, steps = Other(), 1
    patched = attach(in_slot(model, first), QueryGain())

    def replace(args, extra):
        options = dict(args["transformer_options"])
        options[SLOT] = Other(options[SLOT])
        return extra["original_block"]({**args, "transformer_options": options})

    patched.set_model_patch_replace(replace, "dit", "double_block", 1)
    sample(tiny, patched, steps=steps)
    assert first.calls == steps * 3 * 2, "self and cross attention of all three blocks"


def test_nothing_is_left_in_a_dictionary_that_outlives_the_forward(tiny, model):
    kept = {}
    patched = attach(model, QueryGain())

    def wrapper(executor, x, t, context, *args, **kwargs):
        args = list(args)
        place = next(i for i, a in enumerate(args) if isinstance(a, dict) and "sigmas" in a)
        kept.update(args[place])
        args[place] = kept
        return executor(x, t, context, *args, **kwargs)

    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "other pack", wrapper)
    sample(tiny, patched, steps=1)
    assert "sigmas" in kept and SLOT not in kept


FOLDED = Where(frozenset({"temporal", "spatial"}))


def causal(batch, tokens):
    return torch.ones(tokens, tokens, dtype=torch.bool).tril()


def one_an_entry(batch, tokens):
    """Random, but the same for the same call; every query keeps its own key."""
    chosen = torch.rand(batch, 1, tokens, tokens, generator=torch.Generator().manual_seed(tokens)) > 0.4
    return chosen | torch.eye(tokens, dtype=torch.bool)


MASKS = {
    "two axes": causal,
    "four axes": lambda batch, tokens: causal(batch, tokens)[None, None],
    "one an entry": one_an_entry,
    "one an entry, three axes": lambda batch, tokens: one_an_entry(batch, tokens)[:, 0],
}


@pytest.mark.parametrize("mask_name", MASKS)
def test_masks_over_time_and_space_alone_are_kept(monkeypatch, mask_name):
    """The UNet's layers give every self-attention a mask of this form."""
    from comfy.ldm.modules import attention

    tiny = tiny_networks()["svd"]
    real = attention.CrossAttention.forward

    def forward(self, x, context=None, **options):
        given = {"mask": MASKS[mask_name](*x.shape[:2])} if context is None else {}
        return real(self, x, context, **options | given)

    model, log = tiny.load(), []
    bare = sample(tiny, model, steps=1)
    monkeypatch.setattr(attention.CrossAttention, "forward", forward)
    plain = sample(tiny, model, steps=1)
    seen = sample(tiny, attach(model, Watcher(log=log, where=FOLDED)), steps=1)
    neutral = sample(tiny, attach(model, QueryGain(gain=1.0, where=FOLDED)), steps=1)
    assert log and torch.equal(seen, plain) and torch.equal(neutral, plain) and not torch.allclose(bare, plain)
    assert not torch.allclose(sample(tiny, attach(model, QueryGain(gain=2.0, where=FOLDED)), steps=1), plain)


def without_scale(func, q, k, v, heads, mask=None, scale=None, **options):
    """Another pack's flash kernel: it knows no scale but that of the heads' width, and no mask."""
    assert mask is None, "such a kernel raises here"
    return func(q, k, v, heads, **options)


def in_int8(func, q, k, v, heads, mask=None, low_precision_attention=True, **options):
    """Another pack's int8 kernel: it drops masks without a word, unless the call must not be in low precision."""
    return func(q, k, v, heads, mask=mask if low_precision_attention is False else None, **options)


@pytest.mark.parametrize("kernel", [without_scale, in_int8])
@pytest.mark.parametrize("name, latent", [("wan_t2v", (1, 16, 8, 16, 16)), ("svd", None)])
def test_a_bias_is_exact_on_kernels_that_know_neither_scales_nor_masks(name, latent, kernel):
    tiny, tar = tiny_networks()[name], TemporalAttentionRegularization(strength=2.0)
    model, latent = tiny.load(), latent or tiny.latent
    plain, biased = (sample(tiny, m, latent=latent) for m in (model, attach(model, tar)))
    replaced = sample(tiny, attach(in_slot(model, kernel), tar), latent=latent)
    assert relative(replaced, biased) < 1e-5 < 1e-3 < relative(plain, biased)
