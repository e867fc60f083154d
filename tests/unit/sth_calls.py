"""What tests of Spectral Transport Homeostasis share: calls whose tension differs, estimators, and what it noted."""

import pytest
import reference
import torch

from pack.py.core.attention import Attention
from pack.py.core.events import Branch, Forward, Grid, Site, Step
from pack.py.techniques.estimator import Estimator
from pack.py.techniques.sth import SpectralTransportHomeostasis

BRANCHES = (Branch.UNCOND, Branch.UNCOND, Branch.COND, Branch.COND)
GRIDS = {
    "video only": Grid(5, 2, 3, tokens=30),
    "text after": Grid(5, 2, 3, tokens=37),
    "reference before": Grid(5, 2, 3, tokens=34, start=4),
    "tokens on both sides": Grid(5, 2, 3, tokens=41, start=7),
}
ESTIMATORS = {
    "same_position": Estimator(),
    "pooled": Estimator("pooled"),
    "exact, all rows": Estimator("exact", 6),
    "exact, two rows": Estimator("exact", 2),
}
TOLERANCE = 5e-6  # of a gamma near 1, in float32

every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
per_call_and_per_head = pytest.mark.parametrize("per_head", (False, True), ids=("per call", "per head"))


def dense_kernel(call):
    return torch.softmax(call.q.float() @ call.k.float().mT * call.scale, -1).to(call.v.dtype) @ call.v


def attention(grid=GRIDS["video only"], site=None, progress=0.3, noise=0.8, dtype=torch.float32, seed=0, heads=3, width=8):
    """Two samples of each branch; each sample and head has another tension: scores flat to sharp, partly coded by frame."""
    batch = len(BRANCHES)
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(batch, heads, grid.tokens, width, generator=generator) for _ in range(3))
    frame = (torch.arange(grid.tokens) - grid.start).clamp(0) // grid.spatial % grid.frames
    code = torch.nn.functional.one_hot(frame, width).float()
    size = torch.tensor([0.3, 0.8, 1.5, 2.5]).view(batch, 1, 1, 1)
    coded = torch.linspace(0, 2, heads).view(1, heads, 1, 1)
    q, k = (size * x + coded * size * code for x in (q, k))
    step = Step(index=3, total=10, sigma=noise, progress=progress, noise=noise)
    forward = Forward(step, grid, BRANCHES, (0, 1, 0, 1))
    rows = tuple(range(batch))
    return Attention(
        site or Site(2, 4, "self"), forward, q.to(dtype), k.to(dtype), v.to(dtype), None, width**-0.5, dense_kernel, rows
    )


def planted(score, frames=6, spatial=4, heads=2, seed=0, own=True):
    """Scores between tokens of one frame (or, if not `own`, of all frames with frame 0) exceed the others by `score`."""
    width = frames + 2
    grid = Grid(frames, 2, spatial // 2, tokens=frames * spatial)
    generator = torch.Generator().manual_seed(seed)
    code = torch.eye(frames, width).repeat_interleave(spatial, 0)
    q = (code if own else code[:1].expand(len(code), -1)) * score**0.5
    q, k = q.expand(1, heads, -1, -1), (code * score**0.5).expand(1, heads, -1, -1)
    q, k = (x + 0.02 * torch.randn(1, heads, frames * spatial, width, generator=generator) for x in (q, k))
    forward = Forward(Step(0, 10, 1.0, 0.0, 1.0), grid, (Branch.COND,), (0,))
    return Attention(Site(3, 4, "self"), forward, q, k, torch.randn(q.shape, generator=generator), None, 1.0, dense_kernel, (0,))


def tau_eff(sth, call):
    step = call.forward.step
    return (
        sth.tau
        * reference.layer_weight(sth.layer_weight, call.site.block, call.site.blocks)
        * reference.step_weight(sth.step_weight, step.progress, step.noise)
    )


def notes(call):
    return {note.name: note.value for note in call.notes}


def per_token(factor, x):
    """[B] or [B, H] -> a factor of x [B, H, L, D]."""
    return torch.as_tensor(factor).view(len(x), -1, 1, 1)


def flat(**settings):
    return SpectralTransportHomeostasis(layer_weight="flat", step_weight="flat", **settings)
