"""The host's latents: their parts, what a sampler makes of them before a run, and how it returns them."""

from __future__ import annotations

import comfy.model_management
import comfy.sample
import torch
from torch import Tensor

from ..core.errors import TemporalAttentionError


def parts(latent: Tensor) -> tuple[Tensor, ...]:
    """The video and its audio where a latent holds both; else the latent alone."""
    return tuple(latent.unbind()) if latent.is_nested else (latent,)


def video_of(latent: Tensor) -> Tensor:
    """The video [B, C, F, h, w] of a latent that may hold audio as well."""
    return parts(latent)[0]


def refuse_all_but_video(latent: Tensor, without_audio: str) -> None:
    """Raises TemporalAttentionError for a latent that holds audio (`without_audio`: what to do), or whose batch is its frames."""
    if latent.is_nested:
        raise TemporalAttentionError("a video-only latent", "video with audio", without_audio)
    if latent.ndim != 5:
        raise TemporalAttentionError(
            "a latent [batch, channels, frames, height, width]",
            f"one of {latent.ndim} dimensions",
            "Stable Video Diffusion and AnimateDiff, whose batch is the frames, are not supported here.",
        )


def is_empty(latent: Tensor) -> bool:
    """All zeros, as the nodes for empty latents make it: no video."""
    return not any(torch.count_nonzero(part) for part in parts(latent))


def prepared(model, latent: dict) -> dict:
    """The LATENT as a sampler node makes it ready: an empty one gets the model's channels and size."""
    sizes = latent.get("downscale_ratio_spacial"), latent.get("downscale_ratio_temporal")
    return {**latent, "samples": comfy.sample.fix_empty_latent_channels(model, latent["samples"], *sizes)}


def as_returned(latent: Tensor) -> Tensor:
    """A sampled latent on the device and in the dtype in which sampler nodes return it."""
    return latent.to(comfy.model_management.intermediate_device(), comfy.model_management.intermediate_dtype())
