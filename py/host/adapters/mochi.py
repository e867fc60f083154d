"""Mochi: joint attention over video, then text without its padding."""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid
from ..blocks import joint
from ..families import Adapter, BlockSites, patches
from ..tokens import first_of, foretold, sequence, video_first


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks; each returns (video, text)."""
    return joint(network.blocks, first_of(sequence(foretold)), "attn")


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens."""
    return patches(x, (1, network.patch_size, network.patch_size))


ADAPTER = Adapter(
    "Mochi", frozenset({"AsymmDiTJoint"}), blocks, grid, video_first, words=lambda network, kwargs, grid: grid.alone.tokens
)
