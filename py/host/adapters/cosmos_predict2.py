"""Cosmos-Predict2: self-attention over all video tokens, then cross-attention to the text."""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid, Site
from ..families import Adapter, BlockSites, patches
from ..tokens import axes


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks."""
    count = len(network.blocks)
    return tuple(_block(block, i, count) for i, block in enumerate(network.blocks))


def _block(block: nn.Module, index: int, count: int) -> BlockSites:
    own, text = Site(index, count, "self"), Site(index, count, "cross", "text")
    return BlockSites(block, own, ((block.self_attn, (own,)), (block.cross_attn, (text,))), axes("b t h w c"))


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens."""
    return patches(x, (network.patch_temporal, network.patch_spatial, network.patch_spatial))


ADAPTER = Adapter("Cosmos-Predict2", frozenset({"MiniTrainDIT"}), blocks, grid)
