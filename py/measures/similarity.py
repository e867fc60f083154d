"""How alike frames are: SSIM (Wang et al. 2004, by kornia) of their pixels, cosines of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from kornia.metrics import ssim
from torch import Tensor
from torch.nn.functional import cosine_similarity

from .frames import parts, planes

SSIM_WINDOW = 11  # pixels

Watch = Callable[[Sequence], Iterable]


def ssim_map(one: Tensor, other: Tensor) -> Tensor:
    """[B, 1, H, W] SSIM at every pixel of [B, 3, H, W] in [0, 1], averaged over channels; identical pictures have exactly 1."""
    return ssim(one, other, SSIM_WINDOW, eps=0.0).mean(1, keepdim=True)


def consecutive_ssim(images: Tensor, device: torch.device, watch: Watch = iter) -> Tensor:
    """[F - 1] mean SSIM of each frame with the next, for [F, H, W, 3].

    Args:
        watch: wraps the loop over parts of the clip, to show progress or to stop it.
    """
    found = []
    for part in watch(parts(len(images) - 1, *images.shape[1:3])):
        frames = planes(images[part.start : part.stop + 1], device)
        found.append(ssim_map(frames[:-1], frames[1:]).mean((1, 2, 3)).cpu())
    return torch.cat(found)


def consecutive_cosine(embeddings: Tensor) -> Tensor:
    """[F - 1] cosine of each frame's embedding with the next one's, for [F, D]."""
    return cosine_similarity(embeddings[:-1], embeddings[1:], dim=-1)


def consistency(to_previous: Tensor, to_first: Tensor) -> Tensor:
    """VBench's consistency of a frame (Huang et al. 2024): the mean of both similarities, negative ones counted as 0."""
    return (to_previous.clamp(min=0) + to_first.clamp(min=0)) / 2


def embedding_consistency(embeddings: Tensor) -> Tensor:
    """[F - 1] consistency of each frame but the first, for [F, D]."""
    return consistency(consecutive_cosine(embeddings), cosine_similarity(embeddings[1:], embeddings[:1], dim=-1))
