"""Cosmos-Predict2: self-attention over all video tokens, then cross-attention to the text."""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid
from ..blocks import self_then_text
from ..families import Adapter, BlockSites, patches
from ..tokens import axes


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks."""
    return self_then_text(network.blocks, "self_attn", "cross_attn", axes("b t h w c"))


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens."""
    return patches(x, (network.patch_temporal, network.patch_spatial, network.patch_spatial))


ADAPTER = Adapter("Cosmos-Predict2", frozenset({"MiniTrainDIT"}), blocks, grid)
