"""The model families this pack knows: one adapter file each, found in the folder `adapters`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import Tensor, nn

from ..core.errors import TemporalAttentionError
from ..core.events import Grid, Site


@dataclass(frozen=True)
class BlockSites:
    """One block of a network and the attentions in it.

    `attentions` maps each attention module to its sites in the order in which it calls the kernel: usually one, but
    Wan's I2V cross-attention asks the image first and the text second.
    """

    module: nn.Module
    site: Site
    attentions: tuple[tuple[nn.Module, tuple[Site, ...]], ...]


@dataclass(frozen=True)
class Adapter:
    """What differs between model families.

    Args:
        family: the name users know.
        networks: class names of the host's networks of this family.
        blocks: network -> its blocks in order of execution.
        grid: (network, x, keyword arguments of the network) -> how the video lies in the tokens, or None where this
            forward has a layout the adapter does not know. x [B, C, T, H, W] is what the network receives.
    """

    family: str
    networks: frozenset[str]
    blocks: Callable[[nn.Module], tuple[BlockSites, ...]]
    grid: Callable[[nn.Module, Tensor, dict], Grid | None]


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
    name = type(network_of(model)).__name__
    for adapter in adapters():
        if name in adapter.networks:
            return adapter
    known = ", ".join(adapter.family for adapter in adapters())
    raise TemporalAttentionError(
        f"a video model of a known family ({known})",
        f"a model whose network is {name}",
        "Connect a video MODEL, or remove this node.",
    )
