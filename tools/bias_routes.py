"""Ways to add a band between frames to the scores of a fused attention, all exact: those of the pack and those that lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from pack.py.maths import band, low_rank, row_max


@dataclass(frozen=True)
class Problem:
    """Random q, k, v [1, H, F S, D] and a band between frames with a height [1, H, F S, 1] for each query."""

    frames: int
    spatial: int
    heads: int
    width: int
    sigma: float
    dtype: torch.dtype = torch.float32
    device: str = "cpu"

    def random(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(self.device, self.dtype)

    @cached_property
    def qkv(self) -> tuple[Tensor, Tensor, Tensor]:
        tokens = self.frames * self.spatial
        return tuple(self.random(1, self.heads, tokens, self.width).roll(i, 2) for i in range(3))

    @cached_property
    def height(self) -> Tensor:
        return self.random(1, self.heads, self.frames * self.spatial, 1).float().abs()

    @cached_property
    def matrix(self) -> Tensor:
        """[F, F] float32."""
        return self._tensor(band.centred(band.gaussian(range(self.frames), self.sigma)))

    @cached_property
    def narrow(self) -> tuple[Tensor, Tensor]:
        """The factors that the pack uses, for each token."""
        a, b = band.factors(band.centred(band.gaussian(range(self.frames), self.sigma)))
        return self.height * self.by_token(self._tensor(a)), self.by_token(self._tensor(b))[None, None]

    @cached_property
    def one_hot(self) -> tuple[Tensor, Tensor]:
        """The band's rows for each query, the one-hot frame of each key."""
        frame = torch.eye(self.frames, device=self.device)
        return self.height * self.by_token(self.matrix), self.by_token(frame)[None, None]

    @property
    def scale(self) -> float:
        return self.width**-0.5

    def by_token(self, x: Tensor) -> Tensor:
        """[F, r] -> [F S, r]."""
        return x.repeat_interleave(self.spatial, 0)

    def kernel(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        return scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=self.scale)

    def _tensor(self, x) -> Tensor:
        return torch.from_numpy(x).float().to(self.device)


def plain(p: Problem) -> Tensor:
    return p.kernel(*p.qkv, None)


def dense_mask(p: Problem) -> Tensor:
    a, b = p.one_hot
    return p.kernel(*p.qkv, (a @ b.mT).to(p.dtype))


def columns(p: Problem) -> Tensor:
    return low_rank.by_columns(*p.qkv, None, *p.narrow, p.scale, p.kernel)


def one_hot_columns(p: Problem) -> Tensor:
    return low_rank.by_columns(*p.qkv, None, *p.one_hot, p.scale, p.kernel)


def masks(p: Problem) -> Tensor:
    return low_rank.by_masks(*p.qkv, None, *p.narrow, p.kernel)


def merged(p: Problem) -> Tensor:
    """The keys of one frame at a time; the band is added to the log-sum-exp by which the parts are merged, in float32."""
    q, k, v = p.qkv
    height, out, total = p.by_token(p.matrix) * p.height, None, None
    for frame in range(p.frames):
        keys = slice(frame * p.spatial, (frame + 1) * p.spatial)
        part, lse = _with_lse(q, k[:, :, keys], v[:, :, keys], p.scale)
        lse = lse.float() + height[..., frame]
        if out is None:
            out, total = part.float(), lse
            continue
        both = torch.logaddexp(total, lse)
        out = out * (total - both).exp()[..., None] + part * (lse - both).exp()[..., None]
        total = both
    return out.to(p.dtype)


def _with_lse(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Output and log-sum-exp of the fused kernel."""
    if q.is_cuda:
        return torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, False, False, scale=scale)[:2]
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, False, scale=scale)


def flex(p: Problem) -> Tensor:
    """FlexAttention, compiled, with the band as score_mod."""
    height, matrix, spatial = p.height[..., 0], p.matrix, p.spatial

    def score_mod(score, batch, head, query, key):
        return score + height[batch, head, query] * matrix[query // spatial, key // spatial]

    return _flex()(*p.qkv, score_mod=score_mod, scale=p.scale)


def _flex() -> Callable:
    from torch.nn.attention.flex_attention import flex_attention

    global _compiled
    _compiled = _compiled or torch.compile(flex_attention, dynamic=False)
    return _compiled


_compiled = None


def row_maximum(p: Problem) -> Tensor:
    """Not a way to attend: what the estimate of the row maximum takes."""
    q, k, _ = (x.unflatten(2, (p.frames, p.spatial)) for x in p.qkv)
    return row_max.over_video(q, k, p.scale).largest


ROUTES: dict[str, Callable[[Problem], Tensor]] = {
    "plain attention": plain,
    "dense mask": dense_mask,
    "columns of factors (the pack)": columns,
    "columns, one a frame": one_hot_columns,
    "masks for some queries at a time": masks,
    "merge by key frame": merged,
    "row maximum, estimated": row_maximum,
}
ON_CUDA = {"FlexAttention": flex}
