"""CogVideoX 1.0 and 1.5: joint attention over text, then video; 1.5 joins two latent frames in a patch."""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid
from ..blocks import joint
from ..families import Adapter, BlockSites, patches
from ..tokens import first_of, sequence, video_last


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks; each returns (video, text)."""
    return joint(network.blocks, first_of(sequence(video_last)))


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens."""
    return patches(x, (network.patch_size_t or 1, network.patch_size, network.patch_size))


ADAPTER = Adapter("CogVideoX", frozenset({"CogVideoXTransformer3DModel"}), blocks, grid, video_last, side_by_side=True)
