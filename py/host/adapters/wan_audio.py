"""Wan S2V and HuMo: as Wan, with tokens of references and earlier motion after the video. Attention to sound is left alone."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from ...core.events import Grid
from ..families import Adapter, patches
from ..tokens import sequence, video_first
from . import wan


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens."""
    return patches(x, network.patch_size)


ADAPTER = Adapter(
    "Wan S2V and HuMo",
    frozenset({"WanModel_S2V", "HumoWanModel"}),
    partial(wan.blocks, output=sequence(video_first)),
    grid,
    video_first,
    left_alone="attention to sound",
    beside=wan.beside,
)
