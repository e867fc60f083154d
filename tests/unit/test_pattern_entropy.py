"""Entropies, means and energies of attention patterns against dense float64 references, and on patterns of known entropy."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from events import COND, STEP, UNCOND
from reference import double

from pack.py.core.attention import Attention
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Forward, Grid, Site
from pack.py.maths.pattern_entropy import energy, mean_of_values, row_entropy, spread
from pack.py.techniques.pattern import PatternEntropy, identity, sampled_scores, uniform

KINDS = ("self", "joint", "temporal", "spatial", "cross")
LOWEST = torch.finfo(torch.float32).min
ALL_ROWS = PatternEntropy(10**6)


def attention(kind, seed=0, frames=4, height=2, width=3, gain=1.5, heads=2, mask=None):
    """A call of one kind with random q, k, v; in a joint one and a self-attention other tokens stand around the video."""
    start, extra = (2, 3) if kind in ("joint", "self") else (0, 0)
    grid = Grid(frames, height, width, start + frames * height * width + extra, start)
    keys = 7 if kind == "cross" else grid.tokens
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(2, heads, length, 5, generator=generator) for length in (grid.tokens, keys, keys))
    site = Site(1, 3, kind, "text" if kind == "cross" else "video")
    forward = Forward(STEP, grid, (UNCOND, COND), (0, 0))
    bias = None if mask is None else MASKS[mask](kind, grid, keys, generator)
    return Attention(site, forward, gain * q, k, v, bias, 5**-0.5, lambda call: call.v, (0, 1))


def entry(kind, grid, keys):
    """(queries, keys) of a bias: each query has the keys of its own pattern."""
    own = {"temporal": grid.frames, "spatial": grid.spatial}.get(kind, grid.tokens)
    return grid.tokens, keys if kind == "cross" else own


def padding(value):
    def mask(kind, grid, keys, generator):
        count = entry(kind, grid, keys)[1]
        return torch.where(torch.arange(count) < 2, value, 0.0).view(1, 1, 1, count)

    return mask


def field(kind, grid, keys, generator):
    """Another bias in every row, head and sample, and some keys out of some rows."""
    bias = torch.randn(2, 2, *entry(kind, grid, keys), generator=generator)
    out = torch.rand(bias.shape, generator=generator) < 0.3
    out[..., :2] = False
    return bias.masked_fill(out, -math.inf)


def boolean(kind, grid, keys, generator):
    return (torch.arange(entry(kind, grid, keys)[1]) >= 2).view(1, 1, 1, -1)


MASKS = {
    "lowest": padding(LOWEST), "infinite": padding(-math.inf), "half": padding(-65504.0), "field": field, "boolean": boolean,
    "booleans": lambda *given: field(*given) > -math.inf,
}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS)
every_mask = pytest.mark.parametrize("mask", (None, *MASKS))


def rows_and_keys(call):
    """(query token, its key tokens) of every video row, by the definition of its kind."""
    grid, kind = call.forward.grid, call.site.kind
    for frame, place in itertools.product(range(grid.frames), range(grid.spatial)):
        row = grid.start + frame * grid.spatial + place
        if kind == "temporal":
            yield row, [f * grid.spatial + place for f in range(grid.frames)]
        elif kind == "spatial":
            yield row, [frame * grid.spatial + s for s in range(grid.spatial)]
        else:
            yield row, list(range(call.k.shape[2]))


def dense(call):
    """(entropy [B, H], UV of the video rows [B, H, N, D]) row by row in float64."""
    q, k, v = (double(x) for x in (call.q, call.k, call.v))
    entropies, means = [], []
    for sample, head in itertools.product(range(2), range(q.shape[1])):
        found, of_rows = [], []
        for row, keys in rows_and_keys(call):
            bias = bias_row(call.bias, sample, head, row, len(keys))
            kept = [key for key, value in zip(keys, bias, strict=True) if value > -1e4]
            scores = [call.scale * q[sample, head, row] @ k[sample, head, key] for key in kept]
            scores = np.array(scores) + bias[bias > -1e4]
            found.append(reference.entropy(reference.softmax(scores)) / math.log(len(kept)) if len(kept) > 1 else math.nan)
            of_rows.append(v[sample, head, kept].mean(0))
        entropies.append(np.mean(found))
        means.append(of_rows)
    shape = q.shape[:2]
    return np.array(entropies).reshape(shape), np.array(means).reshape(*shape, len(of_rows), -1)


def bias_row(bias, sample, head, row, keys):
    if bias is None:
        return np.zeros(keys)
    if bias.dtype == torch.bool:
        bias = torch.where(bias, 0.0, -math.inf)
    return double(bias)[sample % len(bias), head % bias.shape[1], row % bias.shape[2]]


@every_kind
@every_mask
@pytest.mark.parametrize("seed", range(2))
def test_all_rows_equal_the_dense_reference(kind, mask, seed):
    call = attention(kind, seed, mask=mask)
    entropies, means = dense(call)
    got = ALL_ROWS.measure(call)
    assert got.dtype == torch.float32 and np.isfinite(entropies).all()
    np.testing.assert_allclose(double(got), entropies, atol=2e-6)
    mean = double(uniform(call))
    np.testing.assert_allclose(np.broadcast_to(mean, means.shape), means, atol=1e-6)


def test_identity_is_0_and_uniform_is_1():
    call = attention("self", gain=0.0)
    torch.testing.assert_close(PatternEntropy().measure(call), torch.ones(2, 2), atol=1e-6, rtol=0)
    eye = torch.eye(call.forward.grid.tokens).expand(2, 2, -1, -1)
    alone = replace(call, q=1000 * eye, k=eye, scale=1.0)
    assert PatternEntropy().measure(alone).abs().max() < 1e-30


def test_known_rows():
    scores = torch.tensor(
        [[0.0, 0.0, -math.inf, LOWEST], [5.0, 5.0, 5.0, 5.0], [900.0, 0.0, 0.0, 0.0], [3.0, -math.inf, -math.inf, LOWEST]]
    )
    wanted = torch.tensor([1.0, 1.0, 0.0, math.nan])
    torch.testing.assert_close(row_entropy(scores), wanted, atol=1e-7, rtol=0, equal_nan=True)
    probabilities = torch.tensor([0.5, 0.25, 0.125, 0.125])
    torch.testing.assert_close(row_entropy(probabilities.log() + 1e3)[None], torch.tensor([1.75 / 2]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("gain", [0.3, 3.0, 20.0], ids=["flat", "middling", "peaked"])
@pytest.mark.parametrize("kind", ["self", "joint", "temporal", "spatial"])
def test_64_rows_are_within_a_point_of_all_of_them(kind, gain):
    """On patterns that differ from place to place: every token has another temperature, and likes its neighbours in time."""
    found = []
    for seed in range(8):
        call = attention(kind, seed, 9, 8, 12, gain)
        place = torch.linspace(0, 12 * math.pi, call.q.shape[2])
        call = call.edit(q=call.q * (1 + 0.5 * torch.sin(place))[:, None], k=call.k + 0.3 * call.q)
        sampled, whole = PatternEntropy().measure(call), ALL_ROWS.measure(call)
        found.append((sampled - whole).mean().abs())
    assert max(found) < 0.03 and sum(found) / len(found) < 0.01


def test_samples_differ_from_step_to_step_and_repeat():
    call = attention("self", frames=8, height=6, width=6)
    later = replace(call, forward=replace(call.forward, step=replace(STEP, index=5)), memory={})
    again = replace(call, memory={})
    few = PatternEntropy(4)
    assert torch.equal(few.measure(call), few.measure(again)) and not torch.equal(few.measure(call), few.measure(later))


def test_it_is_measured_once():
    call = attention("self")
    assert PatternEntropy().measure(call) is PatternEntropy().measure(call.edit(v=2 * call.v))
    assert not torch.equal(PatternEntropy().measure(call), PatternEntropy().measure(call.edit(q=2 * call.q)))


def test_only_sampled_rows_meet_all_keys():
    call = attention("self", frames=20, height=10, width=10)
    sizes = [scores.shape for scores in sampled_scores(call, 16)]
    assert sizes == [(1, 16, call.k.shape[2])] * 4


def test_half_precision_is_measured_in_float32():
    call = attention("joint")
    half = call.edit(q=call.q.bfloat16(), k=call.k.bfloat16(), v=call.v.bfloat16())
    exact = half.edit(q=half.q.float(), k=half.k.float())
    assert torch.equal(ALL_ROWS.measure(half), ALL_ROWS.measure(exact)) and uniform(half).dtype == torch.float32


@pytest.mark.parametrize("total", (1, 7, 144, 2304, 32760))
@pytest.mark.parametrize("count", (1, 64, 500))
def test_places_differ_and_lie_inside(total, count):
    for offset in (0.0, 0.37, 0.999):
        places = spread(count, total, offset, torch.device("cpu"))
        assert len(places) == min(count, total) and 0 <= places.min() and places.max() < total
        assert (places.diff() > 0).all() or total < 2 * count


def test_places_meet_every_column_of_a_frame():
    columns = spread(64, 9 * 16 * 16, 0.0, torch.device("cpu")) % 16
    assert columns.unique().numel() >= 14


def test_energies():
    x = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(double(energy(x)), np.square(double(x)).sum((1, 2, 3)), rtol=1e-6)
    assert energy(x.half()).dtype == torch.float32


def test_the_energy_of_any_pattern_lies_between_that_of_uniform_and_identity_when_values_are_alike_in_size():
    """Eq. 2, for doubly stochastic patterns."""
    v = torch.randn(1, 1, 6, 8, generator=torch.Generator().manual_seed(0))
    mixing = 0.5 * torch.eye(6) + 0.5 * torch.eye(6).roll(1, 0)
    mean = mean_of_values(v).expand_as(v)
    assert energy(mean) < energy(mixing @ v) < energy(v)


def test_identity_is_the_video_part_of_the_values():
    call = attention("joint")
    assert torch.equal(identity(call), call.v[:, :, 2:26])


def test_no_rows_are_refused():
    with pytest.raises(TemporalAttentionError, match="at least 1 sampled row"):
        PatternEntropy(0)
