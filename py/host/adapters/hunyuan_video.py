"""HunyuanVideo and HunyuanVideo 1.5: joint attention in double blocks (two streams) and single blocks (one; none in 1.5).

Token order: text, then [reference latent] video. Only Video Synopsis Prompt acts on the refiner of the text: each key prompt is
refined on its own.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from ...core.events import Grid, Site
from ..families import Adapter, Attentions, BlockSites, is_video, patches
from ..tokens import first_of, sequence, video_last

STREAM = sequence(video_last)


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """All double blocks, then all single blocks, numbered through."""
    double, single = list(network.double_blocks), list(network.single_blocks)
    count = len(double) + len(single)
    outputs = [first_of(STREAM)] * len(double) + [STREAM] * len(single)
    return tuple(_block(block, i, count, output) for i, (block, output) in enumerate(zip(double + single, outputs, strict=True)))


def _block(block: nn.Module, index: int, count: int, output) -> BlockSites:
    site = Site(index, count, "joint")
    return BlockSites(block, site, ((block, (site,)),), output)


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid | None:
    """The video's tokens; the same network class serves images, which have no time."""
    return replace(patches(x, network.patch_size), text=_before_text(network, kwargs)) if is_video(x) else None


def _before_text(network: nn.Module, kwargs: dict) -> int:
    """Tokens that the text encoder did not make and that stand before the prompt: of an image and, in 1.5, of the glyphs."""
    image, glyphs = kwargs.get("clip_fea"), kwargs.get("txt_byt5")
    counts_glyphs = glyphs is not None and network.byt5_in is not None and network.cond_type_embedding is not None
    return (0 if image is None else image.shape[1]) + (glyphs.shape[1] if counts_glyphs else 0)


def texts(network: nn.Module) -> tuple[Attentions, ...]:
    """The refiner of the text."""
    refiners = list(network.txt_in.individual_token_refiner.blocks)
    return tuple((block, (Site(i, len(refiners), "text", "text"),)) for i, block in enumerate(refiners))


LEFT_ALONE = "the refiner of the text (except by VSP); images"
ADAPTER = Adapter(
    "HunyuanVideo", frozenset({"HunyuanVideo"}), blocks, grid, video_last, left_alone=LEFT_ALONE, texts=texts, side_by_side=True
)
