"""The matrix between frames: values that are known, and its factors."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pack.py.maths.band import centred, factors, gaussian, resampled


def test_known_values():
    band = gaussian(range(4), 1.0)
    assert_allclose(band[0], [1.0, math.exp(-0.5), math.exp(-2.0), math.exp(-4.5)])
    assert np.array_equal(band, band.T) and np.array_equal(np.diag(band), np.ones(4))
    assert all(len(set(np.diag(band, i))) == 1 for i in range(4)), "Toeplitz"


def test_past_127_frames_distances_stay_right():
    band = gaussian(range(300), 50.0)
    assert band[0, 299] == pytest.approx(math.exp(-((299 / 50) ** 2) / 2)) and band[10, 200] == band[200, 10]


def test_a_context_window_keeps_the_distances_of_its_frames():
    window = (0, 7, 8, 9)
    assert_allclose(gaussian(window, 2.0), gaussian(range(10), 2.0)[np.ix_(window, window)])


def test_an_endless_sigma_is_a_constant_and_nothing_once_centred():
    assert np.array_equal(gaussian(range(9), math.inf), np.ones((9, 9)))
    assert not centred(gaussian(range(9), math.inf)).any()


def test_centring_takes_a_constant_from_each_row():
    band = gaussian(range(7), 1.0)
    assert_allclose(np.ptp(band - centred(band), axis=1), 0, atol=1e-15)
    assert_allclose(centred(band).sum(1), 0, atol=1e-14)


@pytest.mark.parametrize("frames", (1, 2, 5, 21, 129))
@pytest.mark.parametrize("sigma", (0.3, 1.0, 4.0, math.inf))
def test_factors_multiply_to_the_matrix(frames, sigma):
    matrix = centred(gaussian(range(frames), sigma))
    a, b = factors(matrix)
    assert np.abs(a @ b.T - matrix).max() <= 1e-6 and 1 <= a.shape[1] <= frames


@pytest.mark.parametrize("frames", (9, 21, 81, 129))
def test_a_wide_band_needs_8_columns_at_most(frames):
    assert factors(centred(gaussian(range(frames), frames / 2)))[0].shape[1] <= 8


def test_any_matrix_has_factors():
    matrix = np.random.default_rng(0).random((12, 12))
    a, b = factors(matrix)
    assert_allclose(a @ b.T, matrix, atol=1e-6)


def test_resampling_keeps_both_ends_and_a_bilinear_matrix():
    ramp = np.linspace(0, 1, 5)
    assert_allclose(resampled(np.outer(ramp, ramp), 9), np.outer(*2 * [np.linspace(0, 1, 9)]), atol=1e-12)
    matrix = np.random.default_rng(0).random((6, 6))
    assert_allclose(resampled(matrix, 6), matrix)
    assert resampled(matrix, 3)[0, -1] == pytest.approx(matrix[0, -1])
    assert resampled(matrix, 11)[1, 2] == pytest.approx((matrix[0, 1] + matrix[1, 1]) / 2)
