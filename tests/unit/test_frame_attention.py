"""The three frame attention estimators against naive references and known answers."""

import numpy as np
import pytest
import reference
import torch
from frame_estimators import ESTIMATORS, close, every_estimator, queries_and_keys, same
from reference import double
from torch.testing import assert_close

from pack.py.maths.entropy import von_neumann_entropy
from pack.py.maths.frame_attention import exact, pooled, same_position

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


def tension_of(measured):
    return measured.h_row - von_neumann_entropy(measured.rho)


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
