"""LTX-Video and the video half of LTX-2: self-attention over all video tokens, then cross-attention to the text.

Guides and keyframes take tokens out of the sequence; such forwards are passed through. Audio is left alone.
"""

from __future__ import annotations

from torch import Tensor, nn

from ...core.events import Grid
from ..blocks import self_then_text
from ..families import Adapter, BlockSites, patches
from ..tokens import first_of, foretold, sequence

PATCH = (1, 1, 1)


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All blocks; those of LTX-2 return (video, audio)."""
    stream = sequence(foretold)
    output = first_of(stream) if type(network).__name__ == "LTXAVModel" else stream
    return self_then_text(network.transformer_blocks, "attn1", "attn2", output)


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid | None:
    """The video's tokens, None with guides."""
    guides = kwargs.get("keyframe_idxs")
    return None if guides is not None and guides.shape[2] else patches(x, PATCH)


LEFT_ALONE = "audio; all of a run with guides or keyframes"
UNKNOWN = "guides or keyframes remove tokens from the video"
ADAPTER = Adapter("LTX", frozenset({"LTXVModel", "LTXAVModel"}), blocks, grid, left_alone=LEFT_ALONE, unknown=UNKNOWN)
