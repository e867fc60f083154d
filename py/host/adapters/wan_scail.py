"""Wan SCAIL and SCAIL-2: as Wan, with reference frames before the video and tokens of the pose after it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from ...core.events import Grid
from ..families import Adapter, patches
from . import wan


def grid(network: nn.Module, x: Tensor, kwargs: dict) -> Grid:
    """The video's tokens; those of references and pose are counted but are no video."""
    video = patches(x, network.patch_size)
    before, after = (
        0 if kwargs.get(name) is None else patches(kwargs[name], network.patch_size).tokens
        for name in ("reference_latent", "pose_latents")
    )
    return replace(video, tokens=before + video.tokens + after, start=before)


ADAPTER = Adapter("Wan SCAIL", frozenset({"SCAILWanModel", "SCAIL2WanModel"}), wan.blocks, grid)
