"""The largest score of each query: exact over frames, estimated over a whole video within stated bounds."""

import numpy as np
import pytest
import torch
from reference import double
from torch.utils._python_dispatch import TorchDispatchMode

from pack.py.maths.row_max import over_frames, over_video

SCALE = 16**-0.5
USUAL = ("random", "coded by frame", "coded by place", "an offset")


def tensors(kind, frames=7, spatial=120, batch=2, heads=3, width=16, seed=0):
    """q, k [B, H, F, S, D] whose scores are of a kind."""
    generator = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(batch, heads, frames, spatial, width, generator=generator) for _ in range(2))
    size = torch.linspace(0.3, 3, heads).view(heads, 1, 1, 1)
    code = torch.nn.functional.one_hot(torch.arange(frames) % width, width).view(frames, 1, width).float()
    place = torch.linspace(0, 3, spatial).view(spatial, 1)
    if kind == "coded by frame":
        return q * size + 3 * code, k + 3 * code
    if kind == "coded by place":
        wave = torch.cat([torch.cos(place * (1 + i)) for i in range(width)], -1)
        return q * 0.5 + 2 * size * wave, k * 0.5 + 2 * wave
    if kind == "a sink":
        k[:, :, 0, 0] = 4.0
        return q * size + 1.0, k
    if kind == "an offset":
        return q * size, k + 5.0
    return q * size, k  # random


def true_scores(q, k):
    return double(q.flatten(2, 3)) @ double(k.flatten(2, 3)).swapaxes(-1, -2) * SCALE


@pytest.mark.parametrize("spatial", (30, 120, 300))
@pytest.mark.parametrize("kind,rms,most", [*((kind, 0.2, 0.4) for kind in USUAL), ("a sink", 0.5, 1.0)])
@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
def test_the_estimate_is_within_its_bounds(kind, rms, most, spatial, dtype):
    """Errors as shares of the row's largest score less its mean, which is what a softmax can tell."""
    q, k = (x.to(dtype) for x in tensors(kind, spatial=spatial))
    scores, found = true_scores(q, k), over_video(q, k, SCALE)
    largest, mean = scores.max(-1), scores.mean(-1)
    assert np.sqrt((((double(found.mean).reshape(mean.shape) - mean) / (largest - mean)) ** 2).mean()) < 0.1
    error = (double(found.largest).reshape(largest.shape) - largest) / (largest - mean)
    assert np.sqrt((error**2).mean()) < rms
    assert np.quantile(np.abs(error), 0.95) < most


def test_what_is_exact_is_exact():
    q, k = tensors("random", frames=5, spatial=4)
    found = over_frames(q, k, SCALE)
    scores = np.einsum("bhfsd,bhgsd->bhfsg", double(q), double(k)) * SCALE
    assert np.abs(double(found.largest) - scores.max(-1)).max() < 1e-5
    assert np.abs(double(found.mean) - scores.mean(-1)).max() < 1e-5


@pytest.mark.parametrize("value", (0.0, 2.0))
def test_equal_scores_are_their_own_maximum(value):
    q = torch.full((1, 1, 3, 4, 8), value)
    found = over_video(q, q, 1.0)
    assert torch.allclose(found.largest, torch.full((1, 1, 3, 4), 8 * value**2), atol=1e-3)
    assert found.largest.isfinite().all()


def test_scores_may_be_large_in_half_precision():
    q, k = (5 * x for x in tensors("random"))
    halves = over_video(q.half(), k.half(), SCALE)
    assert torch.allclose(halves.largest, over_video(q, k, SCALE).largest, rtol=0.02, atol=1.0)


def test_it_repeats_exactly_and_never_makes_tokens_squared():
    class Largest(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            self.elements = max(self.elements, out.numel() if isinstance(out, torch.Tensor) else 0)
            return out

    q, k = tensors("random", frames=9, spatial=200, batch=1, heads=1, width=64)
    with Largest() as mode:
        once = over_video(q, k, SCALE)
    assert mode.elements <= q.numel()
    assert torch.equal(over_video(q, k, SCALE).largest, once.largest)
