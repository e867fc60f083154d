"""Motion between two frames: naive references for its parts, and textures moved by a known distance."""

import math

import clips
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from pack.py.measures.frames import planes
from pack.py.measures.motion import displacement, half_way, local_covariance, shifted
from pack.py.measures.regions import moving, standing

CPU = torch.device("cpu")
INNER = (..., slice(6, -6), slice(6, -6))  # away from the border, where part of what is seen comes from nowhere


def pair(right, down=0.0):
    """Two frames [1, 3, H, W], the second moved."""
    return planes(clips.texture()[None], CPU), planes(clips.texture(right, down)[None], CPU)


def noise(x):
    return x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def triangle(distance):
    """Linear interpolation."""
    return max(0.0, 1 - abs(distance))


def keys(distance):
    """The cubic convolution of Keys 1981 with a = -0.75."""
    d = abs(distance)
    if d <= 1:
        return 1.25 * d**3 - 2.25 * d**2 + 1
    return -0.75 * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def naive_shift(x, kernel, right, down):
    """x [h, w] at a place right and down of its corner, by a kernel of at most 4 pixels; beyond the border, its values."""
    total = 0.0
    for row in range(math.floor(down) - 1, math.floor(down) + 3):
        for column in range(math.floor(right) - 1, math.floor(right) + 3):
            value = x[min(max(row, 0), x.shape[0] - 1), min(max(column, 0), x.shape[1] - 1)]
            total += float(value) * kernel(down - row) * kernel(right - column)
    return total


@pytest.mark.parametrize("mode,kernel", [("bilinear", triangle), ("bicubic", keys)])
def test_shifted_is_interpolation(mode, kernel):
    generator = torch.Generator().manual_seed(0)
    x, flow = torch.rand(2, 3, 7, 9, generator=generator), torch.randn(2, 2, 7, 9, generator=generator)
    found = shifted(x, flow, mode)
    for b, c, i, j in np.ndindex(2, 3, 7, 9):
        expected = naive_shift(x[b, c], kernel, j + float(flow[b, 0, i, j]), i + float(flow[b, 1, i, j]))
        assert float(found[b, c, i, j]) == pytest.approx(expected, abs=1e-4)


def test_local_covariance_is_that_under_a_gaussian():
    p, q = torch.rand(2, 1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    blur = [gaussian_filter(x.double().numpy(), (0, 0, 2, 2), truncate=3, mode="mirror") for x in (p * q, p, q)]
    expected = (blur[0] - blur[1] * blur[2]).sum(1, keepdims=True)
    np.testing.assert_allclose(local_covariance(p, q), expected, atol=1e-5)


@pytest.mark.parametrize("right,down", [(0.2, -0.1), (1.0, 0.0), (-1.5, 0.5), (3.0, 2.0), (0.0, -5.0), (7.0, 0.0)])
def test_displacement_is_the_motion(right, down):
    flow = displacement(*pair(right, down))[INNER]
    off = 0.03 + 0.02 * math.hypot(right, down)
    assert flow.mean((0, 2, 3)).tolist() == pytest.approx([right, down], abs=off)
    assert (flow - torch.tensor([right, down])[:, None, None]).norm(dim=1).median() < off


def test_displacement_plays_no_favourites():
    first, second = pair(2.0, 1.0)
    torch.testing.assert_close(displacement(first, second), -displacement(second, first), atol=1e-3, rtol=0)


def test_half_way_is_the_frame_in_between():
    first, second = pair(3.0, -2.0)
    expected = planes(clips.texture(1.5, -1.0)[None], CPU)
    made = half_way(first, second, displacement(first, second))
    assert (made - expected)[INNER].abs().mean() < 0.01 < (first - expected)[INNER].abs().mean()


@pytest.mark.parametrize(
    "change", [lambda x: x + 0.05, lambda x: x * 0.9, lambda x: noise(x)], ids=["brighter", "fainter", "noisy"]
)
def test_changes_of_light_and_noise_are_no_motion(change):
    first, _ = pair(0)
    second = change(first)
    assert standing(moving(first, second, displacement(first, second))).float().mean() > 0.95


@pytest.mark.parametrize("right,moves", [(0.03, False), (0.3, True), (2.0, True)])
def test_motion_begins_at_a_thousandth_of_the_short_side(right, moves):
    first, second = pair(right)
    share = moving(first, second, displacement(first, second))[INNER].float().mean()
    assert share > 0.95 if moves else share < 0.05


def test_what_is_near_motion_does_not_stand():
    moves = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    moves[..., 10, 10] = True
    still = standing(moves)[0, 0]
    assert not still[5:16, 5:16].any() and still.sum() == 400 - 121
