"""The three frame attention estimators against naive references, known answers, and what they may bring into memory."""

import numpy as np
import pytest
import reference
import torch
from reference import double
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from pack.py.maths import entropy, frame_attention
from pack.py.maths.entropy import von_neumann_entropy
from pack.py.maths.frame_attention import exact, pooled, rotating_offset, same_position

ESTIMATORS = {"same_position": same_position, "pooled": pooled, "exact": exact}
SHAPES = (  # B, H, F, S, D
    (1, 1, 2, 1, 1),
    (2, 1, 2, 3, 4),
    (1, 3, 3, 1, 5),
    (2, 3, 5, 6, 7),
    (3, 2, 9, 4, 8),
    (1, 2, 16, 5, 3),
    (1, 2, 40, 2, 13),
    (2, 2, 21, 1, 16),
)
TOLERANCE = 1e-5

every_estimator = pytest.mark.parametrize("name", ESTIMATORS)


def queries_and_keys(shape, seed=0, size=1.5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return tuple((size * torch.randn(shape, generator=generator)).to(dtype) for _ in range(2))


def close(got, wanted, tolerance=TOLERANCE):
    """Every field equals the reference and is float32."""
    for field in ("matrix", "h_row", "rho"):
        value, expected = getattr(got, field), getattr(wanted, field)
        assert value.dtype == torch.float32 and tuple(value.shape) == expected.shape, field
        assert np.abs(double(value) - expected).max() <= tolerance, field


def same(a, b, tolerance=5e-6):
    for field in ("matrix", "h_row", "rho"):
        assert_close(getattr(a, field), getattr(b, field), atol=tolerance, rtol=0)


def tension_of(measured):
    return measured.h_row - von_neumann_entropy(measured.rho)


class Largest(TorchDispatchMode):
    """Records how many elements the largest tensor had that any operation gave."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(x, torch.Tensor):
                self.elements = max(self.elements, x.numel())
        return out


def largest(function):
    with Largest() as seen:
        function()
    return seen.elements


# Against the reference


@every_estimator
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_reference(name, shape):
    q, k = queries_and_keys(shape, seed=sum(shape))
    scale = shape[-1] ** -0.5
    close(ESTIMATORS[name](q, k, scale), reference.ESTIMATORS[name](double(q), double(k), scale))


@every_estimator
@pytest.mark.parametrize("scale", (0.05, 0.3, 1.7))
def test_uses_the_scale_it_is_given(name, scale):
    q, k = queries_and_keys((2, 2, 6, 3, 4), seed=3)
    close(ESTIMATORS[name](q, k, scale), reference.ESTIMATORS[name](double(q), double(k), scale))


@every_estimator
@pytest.mark.parametrize("size", (0.01, 6.0))
def test_flat_and_sharp_scores(name, size):
    q, k = queries_and_keys((2, 2, 7, 4, 8), seed=11, size=size)
    close(ESTIMATORS[name](q, k, 8**-0.5), reference.ESTIMATORS[name](double(q), double(k), 8**-0.5))


@every_estimator
@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16))
def test_half_precision_is_measured_in_float32(name, dtype):
    """The reference sees the same rounded values, so the tolerance is that of float32."""
    q, k = queries_and_keys((2, 3, 6, 5, 7), seed=4, dtype=dtype)
    close(ESTIMATORS[name](q, k, 7**-0.5), reference.ESTIMATORS[name](double(q), double(k), 7**-0.5))


@every_estimator
def test_half_precision_does_not_overflow(name):
    """Sums over positions and scores beyond 65504, the largest float16."""
    q, k = queries_and_keys((1, 1, 3, 150, 2), seed=5)
    q, k = (q + 600).half(), (k * 0.01 + 600).half()
    q[..., 1] = -q[..., 1]
    scale = 1e-4
    close(ESTIMATORS[name](q, k, scale), reference.ESTIMATORS[name](double(q), double(k), scale))


@every_estimator
@pytest.mark.parametrize("start", (0, 3))
def test_views_of_the_models_layout(name, start):
    """q and k as a network makes them: x[B, N, H * D] -> heads -> video tokens -> frames, without a copy."""
    batch, heads, frames, spatial, width = 2, 3, 5, 4, 6
    generator = torch.Generator().manual_seed(6)

    def view():
        x = torch.randn(batch, start + frames * spatial + 2, heads * width, generator=generator)
        x = x.view(batch, -1, heads, width).transpose(1, 2)[:, :, start : start + frames * spatial]
        return x.unflatten(2, (frames, spatial))

    q, k = view(), view()
    assert not q.is_contiguous()
    close(ESTIMATORS[name](q, k, 0.4), reference.ESTIMATORS[name](double(q), double(k), 0.4))


@every_estimator
def test_samples_and_heads_are_kept_apart(name):
    q, k = queries_and_keys((3, 4, 5, 3, 6), seed=7)
    q = q * torch.tensor([0.1, 1.0, 4.0]).view(3, 1, 1, 1, 1) * torch.tensor([0.2, 0.5, 1.0, 2.0]).view(4, 1, 1, 1)
    whole = ESTIMATORS[name](q, k, 0.4)
    for b in range(3):
        for h in range(4):
            alone = ESTIMATORS[name](q[b : b + 1, h : h + 1], k[b : b + 1, h : h + 1], 0.4)
            assert_close(whole.matrix[b, h], alone.matrix[0, 0], atol=5e-6, rtol=0)
            assert_close(whole.h_row[b, h], alone.h_row[0, 0], atol=5e-6, rtol=0)
            assert_close(whole.rho[b, h], alone.rho[0, 0], atol=5e-6, rtol=0)


@every_estimator
def test_rows_sum_to_one_and_rho_is_a_density(name):
    q, k = queries_and_keys((2, 2, 8, 3, 4), seed=8)
    got = ESTIMATORS[name](q, k, 0.5)
    assert_close(got.matrix.sum(-1), torch.ones(2, 2, 8), atol=1e-5, rtol=0)
    assert_close(got.rho.diagonal(dim1=-2, dim2=-1).sum(-1), torch.ones(2, 2), atol=1e-5, rtol=0)
    assert_close(got.rho, got.rho.mT, atol=1e-6, rtol=0)


def test_order_of_averages_of_same_position():
    """H_row and rho are averaged over positions; neither is that of the mean pattern."""
    q, k = queries_and_keys((1, 1, 6, 5, 4), seed=9, size=3.0)
    got = same_position(q, k, 0.5)
    mean = double(got.matrix)[0, 0]
    assert abs(double(got.h_row)[0, 0] - reference.row_entropy(mean)) > 0.1
    assert np.abs(double(got.rho)[0, 0] - reference.density(mean)).max() > 0.01
    close(got, reference.same_position(double(q), double(k), 0.5))


def test_with_one_position_all_estimators_agree():
    q, k = queries_and_keys((2, 2, 7, 1, 5), seed=10)
    same(same_position(q, k, 0.4), pooled(q, k, 0.4))
    same(same_position(q, k, 0.4), exact(q, k, 0.4))


def test_equal_positions_make_all_estimators_agree():
    q, k = (x.expand(2, 2, 7, 4, 5) for x in queries_and_keys((2, 2, 7, 1, 5), seed=10))
    same(same_position(q, k, 0.4), pooled(q, k, 0.4))
    same(same_position(q, k, 0.4), exact(q, k, 0.4))


# The exact estimator and its sampled rows


def dense_frame_mass(q, k, scale):
    frames, spatial = q.shape[2:4]
    dense = torch.softmax(q.double().flatten(2, 3) @ k.double().flatten(2, 3).mT * scale, -1)
    return dense.unflatten(3, (frames, spatial)).sum(-1).unflatten(2, (frames, spatial)).mean(3)


@pytest.mark.parametrize("rows", (None, 12, 50))
@pytest.mark.parametrize("offset", (0.0, 0.7))
def test_exact_with_all_rows_is_the_dense_softmax(rows, offset):
    q, k = queries_and_keys((2, 3, 9, 12, 8), seed=12)
    got = exact(q, k, 8**-0.5, rows, offset)
    assert_close(got.matrix.double(), dense_frame_mass(q, k, 8**-0.5), atol=1e-5, rtol=0)


def sampled_by(spatial, rows, offset):
    """Finds the sampled positions from outside: those whose query moves the result."""
    q, k = queries_and_keys((1, 1, 3, spatial, 4), seed=13)
    base = exact(q, k, 0.5, rows, offset).matrix
    found = []
    for s in range(spatial):
        other = q.clone()
        other[:, :, :, s] = -2 * other[:, :, :, s]
        if not torch.equal(exact(other, k, 0.5, rows, offset).matrix, base):
            found.append(s)
    return found


@pytest.mark.parametrize("offset", (0.0, 0.3, 0.6180339887, 0.999))
@pytest.mark.parametrize("spatial,rows", ((12, 4), (12, 1), (10, 4), (13, 5), (7, 6), (5, 5), (3, 8)))
def test_sampled_rows_are_evenly_spaced_from_the_offset(spatial, rows, offset):
    found = sampled_by(spatial, rows, offset)
    assert len(found) == min(rows, spatial)
    assert found == reference.sampled_positions(spatial, rows, offset)


@pytest.mark.parametrize("offset", (0.0, 0.36, 0.83))
@pytest.mark.parametrize("rows", (1, 3, 4, 7))
def test_sampled_rows_equal_the_reference_on_those_rows(rows, offset):
    q, k = queries_and_keys((2, 2, 5, 10, 6), seed=14)
    positions = reference.sampled_positions(10, rows, offset)
    close(exact(q, k, 0.4, rows, offset), reference.exact(double(q), double(k), 0.4, positions))


def test_offsets_of_all_intervals_average_to_the_dense_mass():
    q, k = queries_and_keys((1, 2, 4, 12, 6), seed=15)
    mean = sum(exact(q, k, 0.5, 3, (i + 0.5) / 4).matrix for i in range(4)) / 4
    assert_close(mean.double(), dense_frame_mass(q, k, 0.5), atol=1e-5, rtol=0)


def test_rotating_offsets_converge_to_the_dense_mass():
    q, k = queries_and_keys((1, 2, 4, 17, 6), seed=16)
    dense = dense_frame_mass(q, k, 0.5)
    errors = []
    for steps in (1, 10, 100):
        mean = sum(exact(q, k, 0.5, 2, rotating_offset(step, 3)).matrix for step in range(steps)) / steps
        errors.append((mean - dense).abs().max().item())
    assert errors[2] < errors[1] < errors[0] and errors[2] < 0.02 < 0.1 < errors[0]


def largest_gap(offsets):
    places = sorted(offsets)
    return max(b - a for a, b in zip(places, [*places[1:], places[0] + 1], strict=True))


@pytest.mark.parametrize("count", (4, 8, 20, 50))
def test_rotating_offset_is_repeatable_and_spread(count):
    for other in (0, 1, 7, 29):
        steps = [rotating_offset(step, other) for step in range(count)]
        blocks = [rotating_offset(other, block) for block in range(count)]
        assert steps == [rotating_offset(step, other) for step in range(count)]
        for offsets in (steps, blocks):
            assert all(0 <= x < 1 for x in offsets)
            assert largest_gap(offsets) < 4 / count


def test_rotating_offset_differs_over_a_run():
    run = [rotating_offset(step, block) for step in range(30) for block in range(40)]
    assert largest_gap(run) < 30 / len(run)


# Known answers


@every_estimator
def test_zero_queries_give_the_uniform_pattern(name):
    zero = torch.zeros(2, 2, 6, 3, 4)
    got = ESTIMATORS[name](zero, zero, 0.5)
    assert_close(got.matrix, torch.full((2, 2, 6, 6), 1 / 6), atol=1e-6, rtol=0)
    assert_close(tension_of(got), torch.ones(2, 2), atol=1e-5, rtol=0)


@every_estimator
def test_frame_codes_give_the_identity(name):
    code = 20 * torch.eye(6).view(1, 1, 6, 1, 6).expand(2, 2, 6, 3, 6)
    got = ESTIMATORS[name](code, code, 6**-0.5)
    assert_close(got.matrix, torch.eye(6).expand(2, 2, 6, 6), atol=1e-6, rtol=0)
    assert_close(tension_of(got), -torch.ones(2, 2), atol=1e-5, rtol=0)


@every_estimator
def test_rows_ask_and_columns_answer(name):
    """Frame i looks at frame i + 1: A_ij is how much i takes from j."""
    code = 20 * torch.eye(6).view(1, 1, 6, 1, 6).expand(1, 1, 6, 3, 6)
    got = ESTIMATORS[name](code, code.roll(1, 2), 6**-0.5)
    assert_close(got.matrix[0, 0], torch.eye(6).roll(1, 1), atol=1e-6, rtol=0)


@every_estimator
@pytest.mark.parametrize("strength", (2.0, 40.0))
def test_a_sink_frame_is_rank_one(name, strength):
    """All frames look at frame 2, softly or hard: H_vN = 0, so T = H_row."""
    q = torch.zeros(1, 1, 6, 3, 4)
    q[..., 0] = 1.0
    k = torch.zeros(1, 1, 6, 3, 4)
    k[:, :, 2, :, 0] = strength
    got = ESTIMATORS[name](q, k, 1.0)
    assert got.matrix.argmax(-1).eq(2).all()
    assert von_neumann_entropy(got.rho).item() == pytest.approx(0, abs=1e-5)
    frame = reference.softmax([0, 0, strength, 0, 0, 0])
    h_row = reference.entropy(frame) / np.log(6)
    assert got.h_row.item() == pytest.approx(h_row, abs=1e-5)
    assert tension_of(got).item() == pytest.approx(h_row, abs=2e-5)


# Memory


@every_estimator
@pytest.mark.parametrize("most", (1, 100, 2000))
def test_chunking_does_not_matter(name, most, monkeypatch):
    q, k = queries_and_keys((2, 3, 5, 7, 6), seed=17)
    whole = ESTIMATORS[name](q, k, 0.4)
    monkeypatch.setattr(frame_attention, "MOST_ELEMENTS", most)
    monkeypatch.setattr(entropy, "MOST_ELEMENTS", most)
    same(ESTIMATORS[name](q, k, 0.4), whole)


@pytest.mark.parametrize("most", (1, 100, 2000))
def test_chunking_does_not_move_the_sampled_rows(most, monkeypatch):
    q, k = queries_and_keys((2, 3, 5, 11, 6), seed=18)
    whole = exact(q, k, 0.4, 3, 0.6)
    monkeypatch.setattr(frame_attention, "MOST_ELEMENTS", most)
    same(exact(q, k, 0.4, 3, 0.6), whole)


@every_estimator
def test_no_tensor_of_all_pairs_of_tokens(name):
    frames, spatial = 10, 120
    tokens = frames * spatial
    q, k = queries_and_keys((1, 2, frames, spatial, 4), seed=19)
    arguments = {"rows": 2, "offset": 0.5} if name == "exact" else {}
    assert largest(lambda: ESTIMATORS[name](q, k, 0.5, **arguments)) < tokens**2 / 10


def test_all_rows_come_in_chunks_of_the_limit(monkeypatch):
    q, k = queries_and_keys((1, 2, 8, 50, 4), seed=20)
    whole = largest(lambda: exact(q, k, 0.5))
    limit = 10_000
    monkeypatch.setattr(frame_attention, "MOST_ELEMENTS", limit)
    assert q.numel() < limit < whole
    assert largest(lambda: exact(q, k, 0.5)) <= limit


def test_same_position_comes_in_chunks_of_the_limit(monkeypatch):
    q, k = queries_and_keys((2, 2, 30, 60, 2), seed=21)
    whole = largest(lambda: same_position(q, k, 0.5))
    limit = 20_000
    monkeypatch.setattr(frame_attention, "MOST_ELEMENTS", limit)
    assert max(limit, q.numel()) < whole
    assert largest(lambda: same_position(q, k, 0.5)) <= max(limit, q.numel())


@every_estimator
def test_inputs_are_not_written(name):
    q, k = queries_and_keys((2, 2, 5, 3, 4), seed=22)
    kept = q.clone(), k.clone()
    ESTIMATORS[name](q, k, 0.5)
    assert torch.equal(q, kept[0]) and torch.equal(k, kept[1])


@every_estimator
def test_runs_repeat_exactly(name):
    q, k = queries_and_keys((2, 2, 5, 3, 4), seed=23)
    first, second = ESTIMATORS[name](q, k, 0.5), ESTIMATORS[name](q, k, 0.5)
    assert all(torch.equal(getattr(first, field), getattr(second, field)) for field in ("matrix", "h_row", "rho"))
