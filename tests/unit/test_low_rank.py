"""Low-rank biases: every way to compute them against a dense float64 softmax, and which rows of a call carry them."""

import math

import numpy as np
import pytest
import torch
from events import COND, UNCOND, attention, forward
from reference import double
from torch.nn.functional import pad, scaled_dot_product_attention
from torch.testing import assert_close

from pack.py.core.low_rank import groups, with_biases
from pack.py.core.rows import put_call, take_call
from pack.py.maths import low_rank
from pack.py.maths.band import centred, factors, gaussian

FRAMES = (1, 2, 3, 9, 16, 21, 40, 129)
LAYOUTS = {"video alone": (0, 0), "text first": (5, 0), "text last": (0, 7), "reference and text": (3, 4)}
MASKS = ("none", "keys", "rows and keys", "boolean")


def kernel_of(scale, calls=None):
    """The fused kernel; `calls` collects the shapes that it is given."""

    def kernel(q, k, v, bias):
        if calls is not None:
            calls.append((q.shape, None if bias is None else bias.shape))
        return scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)

    return kernel


def dense(q, k, v, scale, bias):
    """Softmax attention [B, H, L, D] in float64, one query at a time; bias [B, H, Lq, Lk]."""
    q, k, v = map(double, (q, k, v))
    out = np.zeros((*q.shape[:3], v.shape[3]))
    for b, h, i in np.ndindex(*q.shape[:3]):
        scores = scale * (k[b, h] @ q[b, h, i]) + bias[b, h, i]
        weights = np.exp(scores - scores.max())
        out[b, h, i] = weights @ v[b, h] / weights.sum()
    return out


def band_of_tokens(frames, spatial, before, after, sigma):
    """[L, L] float64: the Gaussian between the frames of two video tokens less the row's mean, 0 where one is no video."""
    place = [None] * before + [f for f in range(frames) for _ in range(spatial)] + [None] * after
    rows = [[math.exp(-(((j - i) / sigma) ** 2) / 2) for j in range(frames)] for i in range(frames)]
    return np.array([[0.0 if i is None or j is None else rows[i][j] - sum(rows[i]) / frames for j in place] for i in place])


def problem(frames, layout="video alone", mask="none", sigma=1.5, width=8, seed=0):
    """(q, k, v, mask, a, b, scale, dense bias [B, H, L, L]) of a random call on a band with random heights."""
    generator = torch.Generator().manual_seed(seed + frames)
    spatial, (before, after) = 1 + (frames < 20) + (frames < 4), LAYOUTS[layout]
    batch, heads, tokens = 2, 3, before + frames * spatial + after
    q, k, v = (torch.randn(batch, heads, tokens, width, generator=generator) for _ in range(3))
    height = 3 * torch.rand(batch, heads, tokens, 1, generator=generator)
    found = [torch.from_numpy(factor).float() for factor in factors(centred(gaussian(range(frames), sigma)))]
    a, b = (pad(factor.repeat_interleave(spatial, 0), (0, 0, before, after)) for factor in found)
    given = masked(mask, batch, heads, tokens, generator)
    bias = double(height) * band_of_tokens(frames, spatial, before, after, sigma)
    if given is not None:
        extra = torch.where(given, 0.0, -torch.inf) if given.dtype == torch.bool else given
        bias = bias + double(extra)
    return q, k, v, given, height * a, b[None, None], 0.7 * width**-0.5, bias


def masked(name, batch, heads, tokens, generator):
    """A bias as calls have it; every query keeps its own key."""
    if name == "none":
        return None
    if name == "keys":
        mask = torch.zeros(batch, 1, 1, tokens)
        mask[1, ..., -1] = -torch.inf if tokens > 1 else 0.0
        return mask
    own = torch.eye(tokens, dtype=torch.bool)
    if name == "boolean":
        return (torch.rand(1, 1, tokens, tokens, generator=generator) > 0.2) | own
    return torch.randn(batch, 1, tokens, tokens, generator=generator)


def routes(q, k, v, mask, a, b, scale):
    """Every way to compute it, by name."""
    kernel = kernel_of(scale)
    return {
        "columns": lambda: low_rank.by_columns(q, k, v, mask, a, b, scale, kernel),
        "masks": lambda: low_rank.by_masks(q, k, v, mask, a, b, kernel),
        "chosen": lambda: low_rank.attend(q, k, v, mask, a, b, scale, kernel),
    }


@pytest.mark.parametrize("route", ("columns", "masks", "chosen"))
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("frames", FRAMES)
def test_every_route_is_the_dense_softmax(route, mask, layout, frames):
    *call, scale, bias = problem(frames, layout, mask)
    bias = np.broadcast_to(bias, (2, 3, *bias.shape[2:]))
    out = routes(*call, scale)[route]()
    assert np.abs(double(out) - dense(*call[:3], scale, bias)).max() < 5e-6


@pytest.mark.parametrize("seed", range(8))
def test_random_shapes_and_factors(seed):
    generator = torch.Generator().manual_seed(seed)
    batch, heads, queries, keys, width, rank = (
        int(torch.randint(1, most, (), generator=generator)) for most in (4, 4, 40, 50, 33, 11)
    )
    q, k, v = (torch.randn(batch, heads, n, width, generator=generator) for n in (queries, keys, keys))
    a, b = torch.randn(1, heads, queries, rank, generator=generator), torch.randn(batch, 1, keys, rank, generator=generator)
    bias = np.broadcast_to(double(a) @ double(b).swapaxes(-1, -2), (batch, heads, queries, keys))
    for name, route in routes(q, k, v, None, a, b, 0.3).items():
        assert np.abs(double(route()) - dense(q, k, v, 0.3, bias)).max() < 2e-5, name


@pytest.mark.parametrize("width,rank,wide", [(64, 6, 72), (64, 8, 72), (64, 9, 80), (60, 1, 64), (128, 20, 152), (8, 8, 16)])
def test_heads_grow_to_a_multiple_of_8(width, rank, wide):
    calls = []
    q = torch.zeros(1, 1, 300, width)
    a = torch.zeros(1, 1, 300, rank)
    out = low_rank.attend(q, q, q, None, a, a, 1.0, kernel_of(1.0, calls))
    assert calls == [((1, 1, 300, wide), None)] and out.shape == q.shape


@pytest.mark.parametrize("width,rank", [(128, 129), (256, 1), (200, 60)])
def test_heads_that_would_grow_past_256_get_masks_no_larger_than_q(width, rank):
    calls = []
    q, a = torch.randn(2, 1, 700, width), torch.randn(2, 1, 700, rank) / rank
    out = low_rank.attend(q, q, q, None, a, a, width**-0.5, kernel_of(width**-0.5, calls))
    assert len(calls) == math.ceil(700 / width) and out.shape == q.shape
    assert all(given[3] == width and math.prod(mask) <= q.numel() for given, mask in calls)


def test_few_keys_get_one_mask():
    calls = []
    q, a = torch.randn(5, 2, 16, 64), torch.randn(5, 2, 16, 15)
    low_rank.attend(q, q, q, None, a, a, 0.125, kernel_of(0.125, calls))
    assert calls == [((5, 2, 16, 64), (5, 2, 16, 16))], "some kernels over frames know no other width"


@pytest.mark.parametrize("sigma", (1.0, 10.5))
def test_rounding_the_columns_to_bfloat16_costs_less_than_rounding_q_and_k(sigma):
    """So no value is split over two columns."""
    generator = torch.Generator().manual_seed(0)
    q, k = (1.5 * torch.randn(4000, 128, generator=generator) for _ in range(2))
    scale, height = 128**-0.5, 3.0  # row max 10 times strength 0.3
    a, b = (torch.from_numpy(factor).float() for factor in factors(centred(gaussian(range(21), sigma))))
    a = height * a[torch.arange(4000) % 21]
    b = b[torch.randint(21, (4000,), generator=generator)]

    def error(x, y):
        exact = (x.double() * y.double()).sum(-1)
        return float((((x.bfloat16().double() * y.bfloat16().double()).sum(-1) - exact) * scale).square().mean().sqrt())

    of_scores, of_bias = error(q, k), error(a / scale, b)
    assert of_bias < 0.7 * of_scores < 0.01


# Rows of a call


def biased(call, rows, seed=1):
    """The call with a random bias of rank 2 on some of its rows."""
    generator = torch.Generator().manual_seed(seed)
    part = take_call(call, rows)
    shape = (len(rows), call.q.shape[1], call.q.shape[2], 2)
    return put_call(call, part.biased(*(torch.randn(shape, generator=generator) for _ in range(2))), part)


def test_a_bias_stays_with_its_rows_and_biases_add_up():
    call = attention(fwd=forward((COND, UNCOND, COND)))
    stacked = biased(biased(call, (0, 2)), (0, 1, 2), seed=2)
    first, second = stacked.low_rank
    q, k = with_biases(stacked)
    scores = double(q) @ double(k).swapaxes(-1, -2) * call.scale
    for row in range(3):
        wanted = double(call.q[row]) @ double(call.k[row]).swapaxes(-1, -2) * call.scale
        wanted = wanted + double(second.queries[row]) @ double(second.keys[row]).swapaxes(-1, -2)
        if row != 1:
            place = (0, None, 1)[row]
            wanted = wanted + double(first.queries[place]) @ double(first.keys[place]).swapaxes(-1, -2)
        assert np.abs(scores[row] - wanted).max() < 1e-5


def test_rows_with_the_same_biases_share_a_group():
    call = biased(biased(attention(fwd=forward((COND, UNCOND, COND, UNCOND))), (0, 2)), (1,), seed=2)
    found = {places: len(part.low_rank) for places, part in groups(call)}
    assert found == {(0, 2): 1, (1,): 1, (3,): 0}
    assert {places: part.rows for places, part in groups(call)} == {(0, 2): (0, 2), (1,): (1,), (3,): (3,)}


def test_a_part_of_a_call_knows_its_own_biases():
    call = biased(attention(fwd=forward((COND, UNCOND, COND))), (0, 2))
    untouched, touched = take_call(call, (1,)), take_call(call, (2,))
    assert torch.equal(with_biases(untouched)[0], untouched.q)
    assert_close(with_biases(touched)[0], with_biases(call)[0][2:])


def test_without_biases_queries_and_keys_are_the_very_tensors():
    call = attention()
    assert with_biases(call)[0] is call.q and with_biases(call)[1] is call.k
