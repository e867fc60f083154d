"""The host's own switch for differentiable code, and a differentiable form of the one operation that ignores it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import comfy.model_management
import comfy.quant_ops
import torch
from torch import Tensor
from torch.nn import functional as F


@contextmanager
def differentiable_host() -> Iterator[None]:
    """Inside, the host's networks use operations that autograd knows; afterwards all is as it was."""
    management, kernels = comfy.model_management, comfy.quant_ops.ck
    before = management.in_training, kernels.rms_rope_split_half
    management.in_training, kernels.rms_rope_split_half = True, rms_rope_split_half
    try:
        yield
    finally:
        management.in_training, kernels.rms_rope_split_half = before


def rms_rope_split_half(
    q: Tensor,
    k: Tensor,
    freqs_cis: Tensor,
    q_scale: Tensor,
    k_scale: Tensor | None = None,
    epsilon: float = 1e-6,
    rot_dim: int = 0,
) -> tuple[Tensor, Tensor]:
    """RMS normalisation of q and k over their last axis D, then rotation of the pairs (i, i + R/2) of its first R entries.

    Args:
        q, k: [..., D].
        freqs_cis: [..., R/2, 2, 2] rotation matrices.
        q_scale, k_scale: [D], the weights of the normalisations; k's is q's if it is None.
        rot_dim: R; 0 stands for D.
    """
    k_scale = q_scale if k_scale is None else k_scale
    return _rotated(q, freqs_cis, q_scale, epsilon, rot_dim), _rotated(k, freqs_cis, k_scale, epsilon, rot_dim)


def _rotated(x: Tensor, rotation: Tensor, scale: Tensor, eps: float, width: int) -> Tensor:
    # The scale may be an inference tensor or on loan, but this product is saved for backward: hence a copy of D numbers.
    normed = F.rms_norm(x.float(), (x.shape[-1],), eps=eps) * scale.float().clone()
    turning, rest = normed.tensor_split([width or x.shape[-1]], dim=-1)
    first, second = turning.chunk(2, dim=-1)
    turned = rotation[..., 0] * first.unsqueeze(-1) + rotation[..., 1] * second.unsqueeze(-1)
    return torch.cat([turned[..., 0], turned[..., 1], rest], dim=-1).type_as(x)
