"""Hand-made events for unit tests: one attention call on a small video, with a dense softmax kernel."""

import reference
import torch
from reference import double

from pack.py.core.attention import Attention
from pack.py.core.events import Block, Branch, Forward, Grid, Site, Step
from pack.py.maths.frame_attention import rotating_offset

STEP = Step(index=2, total=10, sigma=0.9, progress=0.2, noise=0.9)
COND, UNCOND = Branch.COND, Branch.UNCOND


def softmax_kernel(call):
    scores = call.q @ call.k.mT * call.scale
    return torch.softmax(scores if call.bias is None else scores + call.bias, -1) @ call.v


def forward(branches=(UNCOND, COND), frames=3, height=2, width=2, step=STEP, start=0, extra=0):
    grid = Grid(frames, height, width, start + frames * height * width + extra, start)
    return Forward(step, grid, tuple(branches), tuple(0 for _ in branches))


def attention(seed=0, heads=2, width=4, site=None, kernel=softmax_kernel, fwd=None, dtype=torch.float32):
    fwd = fwd or forward()
    generator = torch.Generator().manual_seed(seed)
    shape = (len(fwd.branches), heads, fwd.grid.tokens, width)
    q, k, v = (torch.randn(shape, generator=generator).to(dtype) for _ in range(3))
    rows = tuple(range(len(fwd.branches)))
    return Attention(site or Site(1, 3, "self"), fwd, q, k, v, None, width**-0.5, kernel, rows)


def block(seed=0, channels=5, fwd=None):
    fwd = fwd or forward()
    x = torch.randn(len(fwd.branches), fwd.grid.tokens, channels, generator=torch.Generator().manual_seed(seed))
    return Block(Site(1, 3, "self"), fwd, x, tuple(range(len(fwd.branches))))


def measured(call, estimator):
    """The reference measurement of the call's video tokens."""
    q, k = (double(call.forward.grid.by_frame(x)) for x in (call.q, call.k))
    if estimator.name != "exact":
        return reference.ESTIMATORS[estimator.name](q, k, call.scale)
    offset = rotating_offset(call.forward.step.index, call.site.block)
    return reference.exact(q, k, call.scale, reference.sampled_positions(q.shape[3], estimator.rows, offset))
