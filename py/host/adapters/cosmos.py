"""Cosmos 1: self-attention over all video tokens and cross-attention, as the block's own list of parts says."""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid, Site
from ..families import Adapter, BlockSites, patches
from ..tokens import axes

OUTPUT = axes("t h w b c")
KINDS = {"full_attn": ("self", "video"), "fa": ("self", "video"), "cross_attn": ("cross", "text"), "ca": ("cross", "text")}


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks."""
    count = len(network.blocks)
    return tuple(_block(block, i, count) for i, block in enumerate(network.blocks.values()))


def _block(block: nn.Module, index: int, count: int) -> BlockSites:
    found = ((part.block, Site(index, count, *KINDS[part.block_type])) for part in block.blocks if part.block_type in KINDS)
    attentions = tuple((module, (site,)) for module, site in found)
    return BlockSites(block, Site(index, count, "self"), attentions, OUTPUT)


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens."""
    return patches(x, (network.patch_temporal, network.patch_spatial, network.patch_spatial))


ADAPTER = Adapter("Cosmos", frozenset({"GeneralDIT"}), blocks, grid)
