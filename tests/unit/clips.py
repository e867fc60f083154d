"""Clips with known measures: IMAGE batches [F, H, W, 3] in [0, 1] from a formula, so that a shift by any distance is exact."""

import numpy as np
import torch

HEIGHT, WIDTH = 48, 64


def texture(right=0.0, down=0.0, seed=0, height=HEIGHT, width=WIDTH):
    """[H, W, 3] sum of waves of 8 to 32 pixels, between 0.1 and 0.9, moved by a distance in pixels."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = np.zeros((height, width, 3))
    for angle, length, phases in zip(
        random.uniform(0, np.pi, 12), random.uniform(8, 32, 12), random.uniform(0, 2 * np.pi, (12, 3)), strict=True
    ):
        along = ((x - right) * np.cos(angle) + (y - down) * np.sin(angle)) * 2 * np.pi / length
        waves += np.cos(along[..., None] + phases)
    return torch.from_numpy(np.clip(0.5 + 0.06 * waves, 0.1, 0.9)).float()


def still(frames=9, seed=0):
    return texture(seed=seed).repeat(frames, 1, 1, 1)


def pan(right, down=0.0, frames=9):
    """All of it moves, by the same distance each frame."""
    return torch.stack([texture(right * f, down * f) for f in range(frames)])


def flickering(change, frames=9):
    """Nothing moves; every second frame is brighter by `change`."""
    clip = still(frames)
    clip[1::2] += change
    return clip


def cut(frames=10):
    """Two still shots of half the frames each."""
    return torch.cat([still(frames // 2), still(frames - frames // 2, seed=1)])


def jumping(compression=4, chunks=3, by=2.0):
    """1 + chunks * compression frames that move only where a latent frame begins."""
    return torch.stack([texture(by * -(-f // compression)) for f in range(1 + chunks * compression)])


def patch(right, frames=9, side=16):
    """A textured square that moves over a still, textured background, by whole pixels."""
    clip = still(frames)
    for f in range(frames):
        left = 4 + right * f
        clip[f, 12 : 12 + side, left : left + side] = texture(seed=5, height=side, width=side)
    return clip
