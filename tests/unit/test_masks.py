"""Masks of the host's attention calls on their way through an event, and biases of some rows only."""

from dataclasses import dataclass, field

import pytest
import torch
from events import COND, UNCOND, attention, forward
from torch.nn.functional import scaled_dot_product_attention

from pack.py.core.attention import Attention
from pack.py.core.events import Branch, Forward, Grid, Site, Step
from pack.py.core.intervention import Intervention, Observer, Where
from pack.py.core.pipeline import Pipeline
from pack.py.core.rows import put_call, take_call
from pack.py.host.fold import Fold
from pack.py.host.kernel import HostCall

VIDEOS, HEADS, WIDTH = 2, 2, 8
GRID = Grid(3, 2, 2, tokens=12)
SIZES = {"temporal": (VIDEOS * 4, 3), "spatial": (VIDEOS * 3, 4), "self": (VIDEOS, 12)}  # batch and tokens of the kernel
MASKS = {
    "none": lambda batch, tokens: None,
    "[l, l]": lambda batch, tokens: causal(tokens),
    "[1, 1, l, l]": lambda batch, tokens: causal(tokens)[None, None],
    "[b, l, l]": lambda batch, tokens: varied(batch, tokens)[:, 0],
    "[b, 1, l, l]": lambda batch, tokens: varied(batch, tokens),
    "[b, 1, 1, l]": lambda batch, tokens: varied(batch, tokens)[:, :, -1:],
    "[1, 1, 1, l]": lambda batch, tokens: varied(1, tokens)[:, :, -1:],
    "additive": lambda batch, tokens: torch.randn(batch, HEADS, tokens, tokens, generator=torch.manual_seed(2)),
}  # fmt: skip
every_call = pytest.mark.parametrize("kind", SIZES)
every_mask = pytest.mark.parametrize("mask", MASKS)


def causal(tokens):
    return torch.ones(tokens, tokens, dtype=torch.bool).tril()


def varied(batch, tokens):
    """Another boolean mask in every entry; every query keeps its own key, and the last one all but some."""
    return (torch.rand(batch, 1, tokens, tokens, generator=torch.manual_seed(1)) > 0.4) | torch.eye(tokens, dtype=torch.bool)


class Host:
    """Attention as the host's functions have it; keeps the masks that it is given."""

    def __init__(self):
        self.masks = []

    def __call__(self, q, k, v, heads, mask=None, **options):
        self.masks.append(mask)
        q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
        if mask is not None:
            mask = mask[None] if mask.ndim == 2 else mask
            mask = mask[:, None] if mask.ndim == 3 else mask
        out = scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=options.get("scale"))
        return out.transpose(1, 2).flatten(2)


@dataclass(frozen=True, kw_only=True)
class Everywhere(Intervention):
    """Of every kind of call."""

    where: Where = field(default_factory=lambda: Where(frozenset(SIZES)))


@dataclass(frozen=True, kw_only=True)
class Gain(Everywhere):
    """q -> 2 q."""

    def before(self, call):
        return call.edit(q=2 * call.q)


@dataclass(frozen=True, kw_only=True)
class Rewritten(Everywhere):
    """A copy of the bias, which the kernel must get in the place of the model's own."""

    def before(self, call):
        return call if call.bias is None else call.edit(bias=call.bias.clone())


@dataclass(frozen=True, kw_only=True)
class Ramp(Everywhere):
    """A low-rank bias that softmax does not see, so that the mask takes the way of calls with such biases."""

    def before(self, call):
        return call.biased(call.q.new_ones(1, 1, call.q.shape[2], 1), call.q.new_ones(1, 1, call.k.shape[2], 1))


@dataclass(frozen=True, kw_only=True)
class Unmasked(Everywhere):
    """Takes the bias away."""

    def before(self, call):
        return call.edit(bias=None)


@dataclass(frozen=True, kw_only=True)
class Looks(Everywhere, Observer):
    """Sees the bias in its one layout."""

    def seen(self, call, edited):
        if call.bias is not None:
            keys = {"temporal": 3, "spatial": 4}.get(call.site.kind, 12)
            allowed = {1, len(call.rows)}, {1, HEADS}, {1, call.q.shape[2]}, {keys}
            assert all(size in sizes for size, sizes in zip(call.bias.shape, allowed, strict=True))
        return []


def through(kind, mask, *chain):
    """(output of the call through the pipeline, the host's own, the host's own with twice the queries, masks given, mask)."""
    batch, tokens = SIZES[kind]
    generator, host = torch.manual_seed(0), Host()
    q, k, v = (torch.randn(batch, tokens, HEADS * WIDTH, generator=generator) for _ in range(3))
    mask = MASKS[mask](batch, tokens)
    own, twice = (host(x, k, v, HEADS, mask) for x in (q, 2 * q))
    host.masks.clear()
    call = HostCall.parse(host, host, (q, k, v, HEADS), {"mask": mask}).folded(Fold.of(kind, GRID))
    given = call.given()
    now = Forward(Step(0, 1, 1.0, 0.0, 1.0), GRID, (Branch.UNCOND, Branch.COND), (0, 0))
    event = Attention(Site(0, 1, kind), now, *given, call.scale, lambda edited: call.run(edited, given), (0, 1))
    pipeline = Pipeline(chain, lambda *_: None, lambda *_: None)
    return call.to_host(pipeline.attention(event)), own, twice, host.masks, mask


@every_call
@every_mask
def test_an_observer_leaves_the_models_own_mask_to_the_kernel(kind, mask):
    out, own, _, given, model = through(kind, mask, Looks(), Looks(branch=COND))
    assert torch.equal(out, own) and len(given) == 1 and given[0] is model


@every_call
@every_mask
def test_an_edit_of_the_queries_keeps_the_mask(kind, mask):
    out, _, twice, given, model = through(kind, mask, Gain(), Looks())
    assert torch.equal(out, twice) and given[0] is model


@every_call
@every_mask
@pytest.mark.parametrize("branch", [None, COND])
def test_an_edited_mask_reaches_the_kernel_as_the_model_would_give_it(kind, mask, branch):
    out, own, _, given, model = through(kind, mask, Rewritten(branch=branch), Looks())
    torch.testing.assert_close(out, own, atol=1e-6, rtol=0)
    assert model is None or given[0] is not model


@every_call
@every_mask
@pytest.mark.parametrize("branch", [None, COND])
def test_a_low_rank_bias_keeps_the_mask(kind, mask, branch):
    out, own, *_ = through(kind, mask, Ramp(branch=branch), Looks())
    torch.testing.assert_close(out, own, atol=1e-5, rtol=0)


@every_call
@every_mask
def test_a_bias_taken_away_is_gone_for_its_rows_alone(kind, mask):
    batch = SIZES[kind][0]
    own, bare = through(kind, mask)[1], through(kind, "none")[1]
    all_of_it, one = (through(kind, mask, Unmasked(branch=branch))[0] for branch in (None, COND))
    torch.testing.assert_close(all_of_it, bare, atol=1e-6, rtol=0)
    torch.testing.assert_close(one[: batch // 2], own[: batch // 2], atol=1e-6, rtol=0)
    torch.testing.assert_close(one[batch // 2 :], bare[batch // 2 :], atol=1e-6, rtol=0)


@every_call
@every_mask
def test_a_bias_taken_away_stays_away_beside_a_low_rank_one(kind, mask):
    out, bare = through(kind, mask, Unmasked(), Ramp(branch=COND))[0], through(kind, "none")[1]
    torch.testing.assert_close(out, bare, atol=1e-5, rtol=0)


# Rows


ADDED = {"boolean": causal(12)[None, None], "additive": torch.randn(1, 1, 12, 12, generator=torch.manual_seed(3))}
SHARED = {"none": None, "boolean": causal(12)[None, None, -2:-1], "additive": torch.linspace(-1, 1, 12).view(1, 1, 1, 12)}


def scores_of(bias):
    return torch.where(bias, 0.0, -torch.inf) if bias.dtype == torch.bool else bias


@pytest.mark.parametrize("added", ADDED)
@pytest.mark.parametrize("shared", SHARED)
def test_a_bias_of_some_rows_leaves_the_others_theirs(added, shared):
    call = attention(fwd=forward((COND, UNCOND, COND))).edit(bias=SHARED[shared])
    part = take_call(call, (0, 2))
    found = scores_of(put_call(call, part.edit(bias=ADDED[added]), part).bias)
    others = torch.zeros(1) if SHARED[shared] is None else scores_of(SHARED[shared])[0]
    assert found.shape == (3, 1, 12, 12)
    for row, wanted in enumerate((scores_of(ADDED[added])[0], others, scores_of(ADDED[added])[0])):
        assert torch.equal(found[row], wanted.expand(1, 12, 12)), row
