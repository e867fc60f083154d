"""Kandinsky 5: self-attention over all video tokens, then cross-attention to the text, which attends to itself before."""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid, Site
from ..blocks import self_then_text
from ..families import Adapter, Attentions, BlockSites, is_video, patches
from ..tokens import foretold, sequence


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All visual blocks."""
    return self_then_text(network.visual_transformer_blocks, "self_attention", "cross_attention", sequence(foretold))


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid | None:
    """The video's tokens; the same network serves images, which have no time."""
    return patches(x, network.patch_size) if is_video(x) else None


def texts(network: nn.Module) -> tuple[Attentions, ...]:
    """The self-attention of the text's own blocks."""
    blocks = network.text_transformer_blocks
    return tuple((block.self_attention, (Site(i, len(blocks), "text", "text"),)) for i, block in enumerate(blocks))


ADAPTER = Adapter(
    "Kandinsky 5",
    frozenset({"Kandinsky5"}),
    blocks,
    grid,
    left_alone="the text's own blocks (except by VSP); images",
    texts=texts,
)
