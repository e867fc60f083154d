"""How alike any two frames of a clip are, as a matrix: SSIM of their pixels, or cosines of their embeddings (VSTAR, Fig. 8)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..core.errors import TemporalAttentionError
from .frames import parts, planes, small
from .similarity import Watch, ssim_map

LEAST_CHANGE = 1e-4  # of similarity; below it a stretched matrix would show rounding errors


def spread(frames: int, most: int) -> list[int]:
    """At most `most` frame numbers out of 0 to frames - 1, evenly spaced, both ends among them."""
    return torch.linspace(0, frames - 1, min(frames, most), dtype=torch.float64).round().long().tolist()


def pairwise_ssim(images: Tensor, device: torch.device, watch: Watch = iter) -> Tensor:
    """[F, F] mean SSIM of every two frames of [F, H, W, 3], their short side scaled down to 128 pixels.

    Args:
        watch: wraps the loop over the pairs, to show progress or to stop it.
    """
    count, height, width = images.shape[:3]
    frames = torch.cat([small(planes(images[part], device)) for part in parts(count, height, width)])
    one, other = torch.triu_indices(count, count, offset=1, device=device)
    matrix = torch.eye(count, device=device)
    for part in watch(parts(len(one), *frames.shape[-2:])):
        alike = ssim_map(frames[one[part]], frames[other[part]]).mean((1, 2, 3))
        matrix[one[part], other[part]] = matrix[other[part], one[part]] = alike
    return _exact(matrix)


def pairwise_cosine(embeddings: Tensor) -> Tensor:
    """[F, F] cosine of every two embeddings of [F, D]."""
    unit = normalize(embeddings.double(), dim=-1)
    return _exact(unit @ unit.mT)


def stretched(matrix: Tensor) -> Tensor:
    """(S - min S) / (1 - min S): the least alike two frames get 0, the diagonal keeps 1.

    The cosines of CLIP lie in a narrow band near 1, and a softmax ignores what all scores have in common: without this a
    similarity would hardly act on an attention.

    Raises TemporalAttentionError where all frames are alike.
    """
    low = float(matrix.min())
    if 1 - low < LEAST_CHANGE:
        raise TemporalAttentionError(
            "a video in which something changes",
            f"one whose frames are all alike (similarity at least {low:.6f})",
            "It has no dynamics to transfer: use another clip, or a longer part of it.",
        )
    return ((matrix - low) / (1 - low)).clamp(0, 1)


def _exact(matrix: Tensor) -> Tensor:
    """The matrix in float32 on the CPU, with the symmetry and the 1 on the diagonal that rounding took from it."""
    even = ((matrix + matrix.mT) / 2).float().cpu()
    return even.fill_diagonal_(1.0).clamp(max=1.0)
