"""Mochi: joint attention over video, then text without its padding."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from ...core.events import Grid
from ..blocks import joint
from ..families import Adapter, BlockSites, patches
from ..tokens import first_of, foretold, sequence, video_first


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks; each returns (video, text)."""
    return joint(network.blocks, first_of(sequence(foretold)), "attn")


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens, with the prompt behind them."""
    video = patches(x, (1, network.patch_size, network.patch_size))
    return replace(video, text=video.tokens)


ADAPTER = Adapter("Mochi", frozenset({"AsymmDiTJoint"}), blocks, grid, video_first, side_by_side=True)
