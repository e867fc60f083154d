"""LTX-Video and the video half of LTX-2: self-attention over all video tokens, then cross-attention to the text.

Guides and keyframes take tokens out of the sequence; such forwards are passed through. Audio is left alone.
"""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid, Site
from ..families import Adapter, BlockSites, patches
from ..tokens import Output, first_of, foretold, sequence

PATCH = (1, 1, 1)


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks; those of LTX-2 return (video, audio)."""
    count = len(network.transformer_blocks)
    stream = sequence(foretold)
    output = first_of(stream) if type(network).__name__ == "LTXAVModel" else stream
    return tuple(_block(block, i, count, output) for i, block in enumerate(network.transformer_blocks))


def _block(block: nn.Module, index: int, count: int, output: Output) -> BlockSites:
    own, text = Site(index, count, "self"), Site(index, count, "cross", "text")
    return BlockSites(block, own, ((block.attn1, (own,)), (block.attn2, (text,))), output)


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid | None:
    """The video's tokens, None with guides."""
    guides = kwargs.get("keyframe_idxs")
    return None if guides is not None and guides.shape[2] else patches(x, PATCH)


LEFT_ALONE = "audio; all of a run with guides or keyframes"
ADAPTER = Adapter("LTX", frozenset({"LTXVModel", "LTXAVModel"}), blocks, grid, left_alone=LEFT_ALONE)
