"""The demo codec: an orthonormal projection with Wan's temporal rule, scaled to demo-world clips."""

import math
import random

import pytest
import torch

from pack.py.demo import codec

COLOURS = [(0.92, 0.12, 0.12), (0.10, 0.78, 0.18), (0.15, 0.25, 0.95), (0.95, 0.85, 0.10), (0.55, 0.15, 0.75), (0.95, 0.5, 0.08)]
BACKGROUNDS = ["black", "gray", "white", "striped"]


def background(name: str, height: int, width: int) -> torch.Tensor:
    if name == "striped":
        return (0.42 + 0.2 * torch.sin((torch.arange(width) + 0.5) * 2 * math.pi / 16)).expand(3, 1, height, width)
    return torch.full((3, 1, height, width), {"black": 0.06, "gray": 0.45, "white": 0.92}[name])


def moving_square(seed: int, frames: int = 33, height: int = 64, width: int = 64) -> torch.Tensor:
    """A soft-edged coloured square that moves a straight way over a background, [3, F, H, W] in [-1, 1]."""
    rng = random.Random(seed)
    radius = rng.uniform(7, 12)
    start, speed = [rng.uniform(radius, size - radius) for size in (height, width)], rng.uniform(0.3, 1.1)
    angle = rng.choice([0, 1, 2, 3]) * math.pi / 2
    t = torch.arange(frames).view(-1, 1, 1)
    y = (torch.arange(height) + 0.5).view(1, -1, 1) - start[0] - speed * t * math.sin(angle)
    x = (torch.arange(width) + 0.5).view(1, 1, -1) - start[1] - speed * t * math.cos(angle)
    cover = (0.5 - (torch.maximum(y.abs(), x.abs()) - radius) / 1.5).clamp(0, 1)
    colour = torch.tensor(rng.choice(COLOURS)).view(3, 1, 1, 1)
    return (1 - cover) * 2 * background(rng.choice(BACKGROUNDS), height, width) + cover * 2 * colour - 1


@pytest.fixture(scope="module")
def linear_codec() -> codec.LinearCodec:
    return codec.LinearCodec()


def test_basis_is_orthonormal():
    basis = codec.dct_basis().double()
    assert basis.shape == (16, 768)
    torch.testing.assert_close(basis @ basis.T, torch.eye(16, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("frames", "latent_frames"), [(1, 1), (5, 2), (33, 9)])
def test_shapes_follow_wan(linear_codec, frames, latent_frames):
    latent = linear_codec.encode(torch.rand(2, 3, frames, 48, 80) * 2 - 1)
    assert latent.shape == (2, 16, latent_frames, 6, 10)
    assert linear_codec.decode(latent).shape == (2, 3, frames, 48, 80)


@pytest.mark.parametrize(("frames", "kept"), [(2, 1), (4, 1), (6, 5), (32, 29)])
def test_frames_past_the_last_group_are_dropped(linear_codec, frames, kept):
    video = torch.rand(1, 3, frames, 16, 16)
    assert torch.equal(linear_codec.encode(video), linear_codec.encode(video[:, :, :kept]))


def test_latents_that_a_video_can_have_survive_a_round_trip(linear_codec):
    latent = linear_codec.encode(linear_codec.decode(torch.randn(2, 16, 5, 4, 6)))
    torch.testing.assert_close(linear_codec.encode(linear_codec.decode(latent)), latent, atol=1e-4, rtol=0)


def test_only_change_over_time_is_lost_in_the_first_frame(linear_codec):
    latent = torch.randn(1, 16, 3, 4, 4)
    back = linear_codec.encode(linear_codec.decode(latent))
    over_time = [index for index, (_, time, _, _) in enumerate(codec.COMPONENTS) if time > 0]
    expected = latent.clone()
    expected[:, over_time, 0] = 0
    torch.testing.assert_close(back, expected, atol=1e-4, rtol=0)


def test_each_block_decodes_on_its_own(linear_codec):
    latent = torch.randn(1, 16, 3, 4, 4)
    changed = latent.clone()
    changed[:, :, 2, 1, 3] += 1
    difference = (linear_codec.decode(changed) - linear_codec.decode(latent)).abs().amax((0, 1))
    assert difference[5:9, 8:16, 24:32].max() > 0.1
    difference[5:9, 8:16, 24:32] = 0
    assert difference.max() == 0


def test_demo_clips_have_about_unit_variance_and_survive(linear_codec):
    video = torch.stack([moving_square(seed) for seed in range(48)])
    latent = linear_codec.encode(video)
    deviation, mean = latent.std((0, 2, 3, 4)), latent.mean((0, 2, 3, 4))
    assert 0.5 < deviation.min() and deviation.max() < 1.6, deviation
    assert mean.abs().max() < 0.4, mean
    error = (linear_codec.decode(latent).clamp(-1, 1) - video).square().mean((1, 2, 3, 4))
    decibels = 10 * torch.log10(4 / error)
    assert decibels.min() >= 20 and decibels.mean() >= 28, decibels


def test_preview_shows_the_mean_colour_of_each_block(linear_codec):
    factors, bias = (torch.tensor(table) for table in codec.preview_factors())
    latent = torch.randn(1, 16, 3, 4, 4)
    colours = torch.einsum("bkthw,kc->bcthw", latent, factors) + bias.view(3, 1, 1, 1)
    blocks = linear_codec.decode(latent)[:, :, 5:9].unfold(3, 8, 8).unfold(4, 8, 8).mean((2, 5, 6))
    torch.testing.assert_close(colours[:, :, 2], blocks, atol=1e-5, rtol=0)


def test_unusable_shapes_are_named(linear_codec):
    with pytest.raises(ValueError, match="multiples of 8"):
        linear_codec.encode(torch.zeros(1, 3, 5, 60, 64))
    with pytest.raises(ValueError, match="16"):
        linear_codec.decode(torch.zeros(1, 4, 8, 8))
