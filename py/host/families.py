"""The model families this pack knows: one adapter file each, found in the folder `adapters`."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ..core.errors import TemporalAttentionError
from ..core.events import Grid, Site
from .tokens import Output, Place, foretold, sequence

Attentions = tuple[nn.Module, tuple[Site, ...]]  # a module that calls the kernel, and its sites in that order


@dataclass(frozen=True)
class BlockSites:
    """One block of a network and the attentions in it.

    `attentions` maps each module that calls the attention kernel to its sites in the order of its calls: usually one, but
    Wan's I2V cross-attention asks the image first and the text second. `output` says where the block's output holds the video.
    `levels` are the modules that tell, by their first input [B, C, H, W], the resolution at which this block and its attentions
    work, in networks that change it on their way.
    """

    module: nn.Module
    site: Site
    attentions: tuple[Attentions, ...]
    output: Output = sequence(foretold)
    levels: tuple[nn.Module, ...] = ()

    @property
    def sites(self) -> tuple[Site, ...]:
        """All attentions of the block, in the order of their calls."""
        return tuple(site for _, sites in self.attentions for site in sites)


@dataclass(frozen=True)
class ContextWindow:
    """The places along an axis of the latent that one network call sees, of so many."""

    places: tuple[int, ...]
    total: int
    axis: int


def context_window(options: dict) -> ContextWindow | None:
    """The host's context window, its leading anchor frame included; None without one."""
    window = options.get("context_window")
    if window is None:
        return None
    anchor = getattr(window, "causal_anchor_index", None)
    return ContextWindow((*(() if anchor is None else (anchor,)), *window.index_list), window.total_frames, window.dim)


@dataclass(frozen=True)
class Adapter:
    """What differs between model families.

    Args:
        family: the name users know.
        networks: class names of the host's networks of this family.
        blocks: network -> its blocks in order of execution.
        grid: (network, x, keyword arguments of the network) -> how the video lies in the tokens, or None where this
            forward has a layout the adapter does not know. x [B, C, T, H, W] is what the network receives.
        place: where the video is in the tokens of an attention over the video.
        serves: whether this MODEL, whose network's class others use too, is a video model of this family.
        rows: (x, grid) -> how many videos x holds.
        left_alone: what of the family is passed through unchanged, for the table of families.
        texts: network -> its attentions outside of the blocks that read text: of kind "text" where the text attends to itself,
            "control" where a side stream of the video's length does.
        side_by_side: whether several prompts can stand side by side in a joint sequence, from the grid's token `text` on.
        sequential: whether the blocks run one after the other and nothing else reads their outputs.
        foreseen: MODEL -> its blocks, for a family whose networks get them only while they sample.
        kernel: the attribute in which attention modules keep a kernel of their own, instead of asking the host's slot.
        window: transformer options of a forward -> its context window, None without one.
        unknown: what it means that `grid` returns None.
        beside: network -> what runs between the blocks and is as large as they are, or writes into their outputs.
    """

    family: str
    networks: frozenset[str]
    blocks: Callable[[nn.Module], tuple[BlockSites, ...]]
    grid: Callable[[nn.Module, Tensor, dict], Grid | None]
    place: Place = foretold
    left_alone: str = ""
    serves: Callable[[ModelPatcher], bool] = lambda model: True
    rows: Callable[[Tensor, Grid], int] = lambda x, grid: x.shape[0]
    texts: Callable[[nn.Module], tuple[Attentions, ...]] = lambda network: ()
    side_by_side: bool = False
    sequential: bool = True
    foreseen: Callable[[ModelPatcher], tuple[BlockSites, ...]] | None = None
    kernel: str = ""
    window: Callable[[dict], ContextWindow | None] = context_window
    unknown: str = "this token layout is not known"
    beside: Callable[[nn.Module], tuple[nn.Module, ...]] = lambda network: ()

    def passed_through(self, grid: Grid | None) -> str:
        """Why a network call with this grid, which cannot be described, is passed through."""
        split = "another node split the batch, so its rows cannot be told apart"
        return f"{self.family}: {self.unknown}" if grid is None else split


def patches(x: Tensor, sizes: tuple[int, int, int]) -> Grid:
    """The grid of a video latent [B, C, T, H, W] cut into patches of `sizes` (t, h, w); the host pads up to whole ones."""
    frames, height, width = (math.ceil(size / patch) for size, patch in zip(x.shape[-3:], sizes, strict=True))
    return Grid(frames, height, width, tokens=frames * height * width, patch=sizes[0])


def is_video(x: Tensor) -> bool:
    """Some networks serve images too, whose latents have no time axis."""
    return x.ndim == 5


@cache
def adapters() -> tuple[Adapter, ...]:
    """All adapters, in the order of their file names."""
    folder = Path(__file__).parent / "adapters"
    names = sorted(info.name for info in pkgutil.iter_modules([str(folder)]))
    return tuple(importlib.import_module(f".adapters.{name}", __package__).ADAPTER for name in names)


def network_of(model: ModelPatcher) -> nn.Module:
    """The diffusion network inside a MODEL."""
    return unwrapped(model.model.diffusion_model)


def unwrapped(network: nn.Module) -> nn.Module:
    """The network itself where torch.compile wraps it."""
    return getattr(network, "_orig_mod", network)


def adapter_of(model: ModelPatcher) -> Adapter:
    """The adapter of a MODEL. Raises TemporalAttentionError for a network that no adapter knows."""
    network = network_of(model)
    name = type(network).__name__
    for adapter in adapters():
        if name in adapter.networks and adapter.serves(model):
            return adapter
    known = ", ".join(adapter.family for adapter in adapters())
    raise TemporalAttentionError(
        f"a video model of a known family ({known})",
        f"a model whose network is {name}",
        "Connect a video MODEL (for AnimateDiff: one that already has its motion model), or remove this node.",
    )


def blocks_of(model: ModelPatcher) -> tuple[BlockSites, ...]:
    """The blocks of a MODEL, whether it is loaded or not. Raises as `adapter_of`."""
    adapter = adapter_of(model)
    return adapter.foreseen(model) if adapter.foreseen else adapter.blocks(network_of(model))
