"""Replacing a few channels of a block's output at chosen tokens.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), Eq. 3 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .massive_activations import channel_peaks
from .token_regions import Region


def selected(x: Tensor, channels: Sequence[int]) -> Tensor:
    """[B, N, C] -> float32 [B, N, M]: the chosen channels, without an index tensor (it would make a GPU wait)."""
    return torch.stack([x[..., channel] for channel in channels], dim=-1).float()


def toward_peak(x: Tensor, alpha: float) -> Tensor:
    """[B, N, M] -> alpha max_j |x_j| sign(x_i), the maximum over the tokens of each sample and channel (Eq. 5)."""
    return alpha * channel_peaks(x).unsqueeze(1) * x.sign()


def replaced(x: Tensor, channels: Sequence[int], values: Tensor, frames: int, regions: Sequence[Region]) -> Tensor:
    """A copy of x [B, F * S, C] with `channels` set to `values` [B, F * S, M] at the tokens of `regions` (Eq. 3).

    Values beyond what x's dtype can hold become its largest: a float16 network would otherwise turn them into inf.
    """
    largest = torch.finfo(x.dtype).max
    values = values.clamp(-largest, largest).unflatten(1, (frames, -1))
    out = x.clone()
    by_frame = out.unflatten(1, (frames, -1))
    for of_frames, tokens in regions:
        for i, channel in enumerate(channels):
            by_frame[:, of_frames, tokens, channel] = values[:, of_frames, tokens, i]
    return out
