"""Wan 2.1 and 2.2: T2V, I2V, TI2V-5B, VACE, Fun (reference), Camera, Animate, Dancer. Self-attention over all video tokens,
then cross-attention.

Token order: [reference of Fun] video (t h w) [frames joined in time, in-context latents]. The control blocks of VACE
work on a side stream of control tokens; only Video Synopsis Prompt acts on them, on their attention to the text. What
Animate adds for faces and Dancer for music is left alone.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor, nn

from ...core.events import Grid, Site
from ..families import Adapter, Attentions, BlockSites, patches
from ..tokens import Output, foretold, sequence

FORETOLD = sequence(foretold)
IMAGE_THEN_TEXT = "WanI2VCrossAttention"


def blocks(network: nn.Module, output: Output = FORETOLD) -> tuple[BlockSites, ...]:
    """All main blocks; their output is a sequence."""
    count = len(network.blocks)
    return tuple(_block(block, i, count, output) for i, block in enumerate(network.blocks))


def _block(block: nn.Module, index: int, count: int, output: Output) -> BlockSites:
    own = Site(index, count, "self")
    return BlockSites(block, own, ((block.self_attn, (own,)), _reading(block, index, count, "cross")), output)


def _reading(block: nn.Module, index: int, count: int, kind: str) -> Attentions:
    text, image = Site(index, count, kind, "text"), Site(index, count, kind, "image")
    asks_image = type(block.cross_attn).__name__ == IMAGE_THEN_TEXT
    return block.cross_attn, (image, text) if asks_image else (text,)


def texts(network: nn.Module) -> tuple[Attentions, ...]:
    """The cross-attention of VACE's control blocks."""
    blocks = getattr(network, "vace_blocks", ())
    return tuple(_reading(block, i, len(blocks), "control") for i, block in enumerate(blocks))


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid | None:
    """The video's tokens; reference, joined and in-context tokens are counted but are no video."""
    video = patches(x, network.patch_size)
    start = 0
    if getattr(network, "ref_conv", None) is not None and kwargs.get("reference_latent") is not None:
        sizes = kwargs["reference_latent"].shape[-2:]
        start = math.prod(size // patch for size, patch in zip(sizes, network.patch_size[1:], strict=True))
    joined = kwargs.get("time_dim_concat")
    extra = 0 if joined is None else patches(joined, network.patch_size).frames * video.spatial
    extra += sum(patches(latent, network.patch_size).tokens for latent in kwargs.get("context_latents") or ())
    return replace(video, tokens=start + video.tokens + extra, start=start)


def beside(network: nn.Module) -> tuple[nn.Module, ...]:
    """The control blocks of VACE, the injected music or speech."""
    injected = (getattr(network, name, None) for name in ("music_injector", "audio_injector"))
    return (*getattr(network, "vace_blocks", ()), *(module for module in injected if module is not None))


NETWORKS = frozenset({"WanModel", "VaceWanModel", "CameraWanModel", "AnimateWanModel", "WanDancerModel"})
LEFT_ALONE = "the control blocks of VACE (except by VSP), the face blocks of Animate, attention to music (Dancer)"
ADAPTER = Adapter("Wan", NETWORKS, blocks, grid, left_alone=LEFT_ALONE, texts=texts, beside=beside)
