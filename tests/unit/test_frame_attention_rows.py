"""The exact estimator against the dense softmax: with all rows, with sampled ones, and with those that rotate over a run."""

import pytest
import reference
import torch
from frame_estimators import close, queries_and_keys
from reference import double
from torch.testing import assert_close

from pack.py.maths.frame_attention import exact, rotating_offset


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
