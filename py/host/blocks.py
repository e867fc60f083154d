"""The two usual ways in which a family's blocks are built, as the sites of all of them."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from ..core.events import Site
from .families import BlockSites
from .tokens import Output


def joint(blocks: Collection[nn.Module], output: Output, caller: str = "") -> tuple[BlockSites, ...]:
    """Blocks of one joint attention, called by the part `caller` of each (the block itself if empty)."""
    sites = (Site(index, len(blocks), "joint") for index in range(len(blocks)))
    return tuple(
        BlockSites(block, site, ((block.get_submodule(caller), (site,)),), output)
        for block, site in zip(blocks, sites, strict=True)
    )


def self_then_text(blocks: Collection[nn.Module], own: str, text: str, output: Output) -> tuple[BlockSites, ...]:
    """Blocks of self-attention in their part `own`, then cross-attention to the text in their part `text`."""
    found = []
    for index, block in enumerate(blocks):
        video, words = Site(index, len(blocks), "self"), Site(index, len(blocks), "cross", "text")
        attentions = ((block.get_submodule(own), (video,)), (block.get_submodule(text), (words,)))
        found.append(BlockSites(block, video, attentions, output))
    return tuple(found)
