"""The matrix between frames: values that are known, and its factors."""

import math

import pytest
import torch
from torch.testing import assert_close

from pack.py.maths.band import centred, factors, gaussian, resampled


def test_known_values():
    band = gaussian(range(4), 1.0)
    assert_close(band[0], torch.tensor([1.0, math.exp(-0.5), math.exp(-2.0), math.exp(-4.5)], dtype=torch.float64))
    assert torch.equal(band, band.T) and torch.equal(band.diagonal(), torch.ones(4, dtype=torch.float64))
    assert all(torch.equal(band.diagonal(i), band.diagonal(i)[:1].expand(4 - i)) for i in range(4)), "Toeplitz"


def test_past_127_frames_distances_stay_right():
    band = gaussian(range(300), 50.0)
    assert band[0, 299] == pytest.approx(math.exp(-((299 / 50) ** 2) / 2)) and band[10, 200] == band[200, 10]


def test_a_context_window_keeps_the_distances_of_its_frames():
    assert_close(gaussian((0, 7, 8, 9), 2.0), gaussian(range(10), 2.0)[[0, 7, 8, 9]][:, [0, 7, 8, 9]])


def test_an_endless_sigma_is_a_constant_and_nothing_once_centred():
    assert torch.equal(gaussian(range(9), math.inf), torch.ones(9, 9, dtype=torch.float64))
    assert not centred(gaussian(range(9), math.inf)).any()


def test_centring_leaves_the_softmax_as_it_is():
    scores, band = torch.randn(7, 7, dtype=torch.float64), gaussian(range(7), 1.0)
    assert_close(torch.softmax(scores + 3 * centred(band), -1), torch.softmax(scores + 3 * band, -1))


@pytest.mark.parametrize("frames", (1, 2, 5, 21, 129))
@pytest.mark.parametrize("sigma", (0.3, 1.0, 4.0, math.inf))
def test_factors_multiply_to_the_matrix(frames, sigma):
    matrix = centred(gaussian(range(frames), sigma))
    a, b = factors(matrix)
    assert (a @ b.T - matrix).abs().max() <= 1e-6 and 1 <= a.shape[1] <= frames


@pytest.mark.parametrize("frames", (9, 21, 81, 129))
def test_a_wide_band_needs_8_columns_at_most(frames):
    assert factors(centred(gaussian(range(frames), frames / 2)))[0].shape[1] <= 8


def test_any_matrix_has_factors():
    matrix = torch.rand(12, 12, generator=torch.Generator().manual_seed(0))
    a, b = factors(matrix)
    assert_close(a @ b.T, matrix.double(), atol=1e-6, rtol=0)


def test_resampling_keeps_both_ends_and_a_linear_matrix():
    ramp = torch.linspace(0, 1, 5)
    assert_close(resampled(ramp[:, None] * ramp, 9), torch.outer(*2 * [torch.linspace(0, 1, 9).double()]), atol=1e-6, rtol=0)
    matrix = torch.rand(6, 6)
    assert torch.equal(resampled(matrix, 6), matrix.double())
    assert resampled(matrix, 3)[0, -1] == pytest.approx(float(matrix[0, -1]))
