"""Stable Video Diffusion: a UNet with spatial blocks, and temporal ones in which each position sees its frames."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn

from ...core.events import Grid, Site
from ..families import Adapter, BlockSites, network_of
from ..tokens import Output

TRANSFORMER = "SpatialVideoTransformer"
TEMPORAL = Output(
    read=lambda out, grid: rearrange(out, "(b s) f c -> b (f s) c", f=grid.frames, s=grid.spatial),
    write=lambda out, grid, video: rearrange(video, "b (f s) c -> (b s) f c", f=grid.frames, s=grid.spatial),
)


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """The temporal blocks in order of execution, each with the spatial block before it."""
    parts = [
        (transformer, *pair)
        for transformer in _transformers(network)
        for pair in zip(transformer.transformer_blocks, transformer.time_stack, strict=True)
    ]
    return tuple(_block(*each, i, len(parts)) for i, each in enumerate(parts))


def _transformers(network: nn.Module) -> list[nn.Module]:
    stages = (*network.input_blocks, network.middle_block, *network.output_blocks)
    return [module for stage in stages for module in stage if type(module).__name__ == TRANSFORMER]


def _block(transformer: nn.Module, spatial: nn.Module, temporal: nn.Module, index: int, count: int) -> BlockSites:
    time, space = Site(index, count, "temporal"), Site(index, count, "spatial")
    attentions = ((temporal.attn1, (time,)), (spatial.attn1, (space,)))
    return BlockSites(temporal, time, attentions, TEMPORAL, levels=(transformer,))


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid | None:
    """Frames are rows of the batch here; every level has its own resolution."""
    frames = kwargs.get("num_video_frames")
    height, width = x.shape[-2:]
    return None if not frames else Grid(frames, height, width, tokens=frames * height * width)


ADAPTER = Adapter(
    "Stable Video Diffusion",
    frozenset({"UNetModel"}),
    blocks,
    grid,
    left_alone="attention to the image",
    serves=lambda model: bool(_transformers(network_of(model))),
    rows=lambda x, grid: x.shape[0] // grid.frames,
    sequential=False,
)
