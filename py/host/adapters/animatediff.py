"""AnimateDiff-Evolved: motion modules between the layers of an image UNet, in which each position sees its frames.

That pack puts them into the network only while it samples, so before a run their blocks are read from the motion models that
the MODEL brings. A block is one temporal transformer block; its attentions (usually two, both over the frames) share its
number and come in the order of their calls. Nothing of the pack is imported: classes and attributes are known by name.
"""

from __future__ import annotations

from collections.abc import Iterable

from comfy.model_patcher import ModelPatcher
from einops import rearrange
from torch import Tensor, nn

from ...core.events import Grid, Site
from ..families import Adapter, BlockSites, ContextWindow, context_window
from ..tokens import Output

MOTION, SPATIAL = "VanillaTemporalModule", "SpatialTransformer"
ORDER = ("down", "mid", "up")
FRAMES_IN_BATCH = Output(
    read=lambda out, grid: rearrange(out, "(b f) s c -> b (f s) c", f=grid.frames),
    write=lambda out, grid, video: rearrange(video, "b (f s) c -> (b f) s c", f=grid.frames),
)


def blocks(network: nn.Module) -> tuple[BlockSites, ...]:
    """The temporal blocks in order of execution; the first after a spatial transformer has that one's self-attentions too."""
    found = []
    for stage in _stages(network):
        spatial = None
        for module in stage:
            if type(module).__name__ == SPATIAL:
                spatial = module
            elif type(module).__name__ == MOTION:
                found.append((module, spatial))
                spatial = None
    return _sites(found)


def foreseen(model: ModelPatcher) -> tuple[BlockSites, ...]:
    """The temporal blocks that the MODEL's motion models will put into its network, in order of execution."""
    return _sites((module, None) for module in sorted(_brought(model), key=_place))


def _stages(network: nn.Module) -> list[nn.Module]:
    return [stage for stage in (*network.input_blocks, network.middle_block, *network.output_blocks) if stage is not None]


def _brought(model: ModelPatcher) -> list[nn.Module]:
    """The motion modules of all models that this one brings along."""
    brought = (module for patcher in model.get_additional_models() for module in patcher.model.modules())
    return [module for module in brought if type(module).__name__ == MOTION]


def _place(module: nn.Module) -> tuple[int, int | None, int]:
    return ORDER.index(module.block_type), module.block_idx, module.module_idx


def _sites(parts: Iterable[tuple[nn.Module, nn.Module | None]]) -> tuple[BlockSites, ...]:
    """The sites of motion modules, each with the spatial transformer whose self-attentions count as its first block's."""
    found = []
    for module, spatial in parts:
        for block in module.temporal_transformer.transformer_blocks:
            found.append((block, module, spatial))
            spatial = None
    return tuple(_block(*each, i, len(found)) for i, each in enumerate(found))


def _block(block: nn.Module, module: nn.Module, spatial: nn.Module | None, index: int, count: int) -> BlockSites:
    time, space = Site(index, count, "temporal"), Site(index, count, "spatial")
    attentions = [(attention, (time,)) for attention in block.attention_blocks]
    if spatial is None:
        return BlockSites(block, time, tuple(attentions), FRAMES_IN_BATCH, levels=(module,))
    attentions += [(layer.attn1, (space,)) for layer in spatial.transformer_blocks]
    return BlockSites(block, time, tuple(attentions), FRAMES_IN_BATCH, levels=(spatial, module))


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid | None:
    """Frames are rows of the batch; how many belong together, the motion modules know. None where all of them are off."""
    modules = [module for stage in _stages(network) for module in stage if type(module).__name__ == MOTION]
    working = [module for module in modules if isinstance(module.effect, Tensor) or module.effect != 0]
    if not working or x.shape[0] % working[0].video_length:
        return None
    frames, (height, width) = working[0].video_length, x.shape[-2:]
    return Grid(frames, height, width, tokens=frames * height * width)


def window(options: dict) -> ContextWindow | None:
    """The pack's own context window, which it publishes for other packs; else the host's."""
    published = options.get("ad_params", {})
    if published.get("sub_idxs") is None:
        return context_window(options)
    return ContextWindow(tuple(published["sub_idxs"]), published["full_length"], axis=0)


ADAPTER = Adapter(
    "AnimateDiff",
    frozenset({"UNetModel"}),
    blocks,
    grid,
    left_alone="attention to text; attention inside frames without a motion module after it; motion modules under view options",
    serves=lambda model: bool(_brought(model)),
    rows=lambda x, grid: x.shape[0] // grid.frames,
    sequential=False,
    foreseen=foreseen,
    kernel="actual_attention",
    window=window,
    unknown="its motion modules are off at this step, or do not know which frames belong together",
)
