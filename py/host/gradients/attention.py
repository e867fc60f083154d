"""The attention kernel of a pass with gradients, and how recomputing a block can skip it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from comfy.ldm.modules.attention import attention_pytorch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge, saved_tensors_hooks

from ..kernel import HeadsFirst, HostCall

log = logging.getLogger("temporal_attention")


class GradientKernel:
    """An attention override for one call of a block: PyTorch's kernel, since Sage and Flash have no backward.

    Args:
        others: the override that stood in the slot; it is called with our kernel as the host's.
        keep: whether attention without a bias is kept from the first run of a block to its second (output and log-sum-exp),
            where there are at least as many keys as queries.
    """

    def __init__(self, others: Callable[..., Tensor] | None, keep: bool):
        self.others, self.keep = others, keep
        self._kept: deque[Kept] = deque()

    def override(self, func: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        """Called by the host instead of `func`."""
        if self.others is None:
            return self._attend(*args, **kwargs)
        out = self.others(self._attend, *args, **kwargs)
        if out.requires_grad or not (torch.is_grad_enabled() and any(x.requires_grad for x in args[:3])):
            return out
        log.debug("Another node's attention override has no gradient; PyTorch's attention is used instead.")
        return self._attend(*args, **kwargs)

    def _attend(self, *args, **kwargs) -> Tensor:
        call = HostCall.parse(attention_pytorch, attention_pytorch, args, kwargs)
        queries, keys = call.lengths
        if not self.keep or call.mask is not None or keys < queries:
            return attention_pytorch(*args, **kwargs)
        qkv = call.heads_first()
        run = partial(attention_pytorch, heads=call.heads, **{**call.options, "skip_reshape": True})
        if not torch.is_grad_enabled():
            self._kept.append(Kept.of(run, qkv))
            return self._kept[-1].out.detach().clone()  # the network may write into it
        return _Recalled.apply(*qkv, self._kept.popleft()) if self._kept else run(*qkv)


@dataclass(frozen=True)
class Kept:
    """An attention that has run: its output and what its backward needs, but not q, k, v.

    `edges` are where their gradients come out, `inputs` is where they are put, recomputed, while backward runs.
    """

    out: Tensor
    edges: tuple[GradientEdge, ...]
    inputs: list[Tensor]

    @classmethod
    def of(cls, run: Callable[..., Tensor], qkv: HeadsFirst) -> Kept:
        """Runs attention on q, k, v [B, H, L, D] and keeps it."""
        places = [_place(x) for x in qkv]
        inputs: list[Tensor] = []

        def pack(saved: Tensor) -> Tensor | int:
            place = _place(saved)
            return places.index(place) if place in places else saved

        def unpack(packed: Tensor | int) -> Tensor:
            return inputs[packed] if isinstance(packed, int) else packed

        root = torch.zeros((), requires_grad=True)
        with torch.enable_grad(), saved_tensors_hooks(pack, unpack):
            entries = [_Entry.apply(x, root) for x in qkv]
            out = run(*entries)
        return cls(out, tuple(map(get_gradient_edge, entries)), inputs)

    def gradients(self, qkv: tuple[Tensor, ...], of_out: Tensor) -> tuple[Tensor, ...]:
        """The gradients of q, k, v; only once."""
        self.inputs.extend(qkv)
        return torch.autograd.grad(self.out, self.edges, of_out)


def _place(x: Tensor) -> tuple:
    """What two views of the same numbers have in common; kernels rewrite the strides of axes of length 1."""
    return x.data_ptr(), x.shape, tuple(stride for size, stride in zip(x.shape, x.stride(), strict=True) if size > 1)


class _Entry(torch.autograd.Function):
    """Makes x part of a graph whose nodes do not hold it."""

    @staticmethod
    def forward(ctx, x: Tensor, root: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class _Recalled(torch.autograd.Function):
    """The output of a kept attention for recomputed q, k, v."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, kept: Kept) -> Tensor:
        ctx.kept = kept
        ctx.save_for_backward(q, k, v)
        return kept.out.detach().clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kept, ctx.kept = ctx.kept, None
        return *kept.gradients(ctx.saved_tensors, gradient), None
