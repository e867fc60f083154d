"""The model families this pack knows: one adapter file each, found in the folder `adapters`."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import Tensor, nn

from ..core.errors import TemporalAttentionError
from ..core.events import Grid, Site
from .tokens import Output, Place, foretold, sequence


@dataclass(frozen=True)
class BlockSites:
    """One block of a network and the attentions in it.

    `attentions` maps each module that calls the attention kernel to its sites in the order of its calls: usually one, but
    Wan's I2V cross-attention asks the image first and the text second. `output` says where the block's output holds the video.
    """

    module: nn.Module
    site: Site
    attentions: tuple[tuple[nn.Module, tuple[Site, ...]], ...]
    output: Output = sequence(foretold)


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
        serves: whether this network, of a class that others use too, is a video network of this family.
        rows: (x, grid) -> how many videos x holds.
        left_alone: what of the family is passed through unchanged, for the table of families.
        level: (grid, transformer options of a call) -> the grid there, in networks that change the resolution on their way.
        beside: network -> what runs between the blocks and is as large as they are, or writes into their outputs.
    """

    family: str
    networks: frozenset[str]
    blocks: Callable[[nn.Module], tuple[BlockSites, ...]]
    grid: Callable[[nn.Module, Tensor, dict], Grid | None]
    place: Place = foretold
    left_alone: str = ""
    serves: Callable[[nn.Module], bool] = lambda network: True
    rows: Callable[[Tensor, Grid], int] = lambda x, grid: x.shape[0]
    level: Callable[[Grid, dict], Grid] = lambda grid, options: grid
    beside: Callable[[nn.Module], tuple[nn.Module, ...]] = lambda network: ()


def patches(x: Tensor, sizes: tuple[int, int, int]) -> Grid:
    """The grid of a video latent [B, C, T, H, W] cut into patches of `sizes` (t, h, w); the host pads up to whole ones."""
    frames, height, width = (math.ceil(size / patch) for size, patch in zip(x.shape[-3:], sizes, strict=True))
    return Grid(frames, height, width, tokens=frames * height * width)


def is_video(x: Tensor) -> bool:
    """Some networks serve images too, whose latents have no time axis."""
    return x.ndim == 5


@cache
def adapters() -> tuple[Adapter, ...]:
    """All adapters, in the order of their file names."""
    folder = Path(__file__).parent / "adapters"
    names = sorted(info.name for info in pkgutil.iter_modules([str(folder)]))
    return tuple(importlib.import_module(f".adapters.{name}", __package__).ADAPTER for name in names)


def network_of(model) -> nn.Module:
    """The diffusion network inside a MODEL."""
    return unwrapped(model.model.diffusion_model)


def unwrapped(network: nn.Module) -> nn.Module:
    """The network itself where torch.compile wraps it."""
    return getattr(network, "_orig_mod", network)


def adapter_of(model) -> Adapter:
    """The adapter of a MODEL. Raises TemporalAttentionError for a network that no adapter knows."""
    network = network_of(model)
    name = type(network).__name__
    for adapter in adapters():
        if name in adapter.networks and adapter.serves(network):
            return adapter
    known = ", ".join(adapter.family for adapter in adapters())
    raise TemporalAttentionError(
        f"a video model of a known family ({known})",
        f"a model whose network is {name}",
        "Connect a video MODEL, or remove this node.",
    )
