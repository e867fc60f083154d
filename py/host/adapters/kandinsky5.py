"""Kandinsky 5: self-attention over all video tokens, then cross-attention to the text. The text's own blocks are left alone."""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid, Site
from ..families import Adapter, BlockSites, is_video, patches


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All visual blocks."""
    count = len(network.visual_transformer_blocks)
    return tuple(_block(block, i, count) for i, block in enumerate(network.visual_transformer_blocks))


def _block(block: nn.Module, index: int, count: int) -> BlockSites:
    own, text = Site(index, count, "self"), Site(index, count, "cross", "text")
    return BlockSites(block, own, ((block.self_attention, (own,)), (block.cross_attention, (text,))))


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid | None:
    """The video's tokens; the same network serves images, which have no time."""
    return patches(x, network.patch_size) if is_video(x) else None


ADAPTER = Adapter("Kandinsky 5", frozenset({"Kandinsky5"}), blocks, grid, left_alone="the text's own blocks; images")
