"""MiniMax H3: joint attention over text, references, audio, and the video last. The refiner of the text is left alone."""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid
from ..blocks import joint
from ..families import Adapter, BlockSites, patches
from ..tokens import sequence, unbatched, video_last


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks."""
    return joint(network.blocks, unbatched(sequence(video_last)), "attn")


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens."""
    return patches(x, network.patch_size)


ADAPTER = Adapter("MiniMax H3", frozenset({"MiniMaxH3Model"}), blocks, grid, video_last, left_alone="the refiner of the text")
