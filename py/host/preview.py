"""A latent as small pictures: decoded by a VAE, or by the host's matrix for live previews, which costs next to nothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate, linear

from ..core.errors import TemporalAttentionError

SHORT_SIDE = 64  # pixels that a preview is scaled up to: SSIM's window has 11


def clips(model, latent: Tensor, vae=None) -> list[Tensor]:
    """The videos of a latent [B, C, T, h, w], or [T, C, h, w] whose batch is one video's frames, as [F, H, W, 3] in [0, 1].

    Raises TemporalAttentionError where the host has no preview matrix for this model and no VAE is given.
    """
    if vae is not None:
        images = vae.decode(latent)
        return list(images if images.ndim == 5 else images.unsqueeze(0))
    form = model.get_model_object("latent_format")
    if form.latent_rgb_factors is None:
        raise TemporalAttentionError(
            "a model whose latents can be previewed",
            f"{type(form).__name__} latents, for which ComfyUI has no preview colours",
            "Connect its VAE: decoded pictures are then compared, which takes longer.",
        )
    latent = form.process_in(latent).float()
    videos = latent.movedim(1, -1) if latent.ndim == 5 else latent.movedim(1, -1).unsqueeze(0)
    factors = torch.tensor(form.latent_rgb_factors, device=latent.device).T
    bias = form.latent_rgb_factors_bias
    colours = linear(videos, factors, None if bias is None else torch.tensor(bias, device=latent.device))
    return [_enlarged(((video + 1) / 2).clamp(0, 1)) for video in colours]


def _enlarged(frames: Tensor) -> Tensor:
    """[F, h, w, 3] with a short side of at least 64 pixels."""
    scale = SHORT_SIDE / min(frames.shape[1:3])
    if scale <= 1:
        return frames
    size = [round(side * scale) for side in frames.shape[1:3]]
    return interpolate(frames.movedim(-1, 1), size=size, mode="bilinear", align_corners=False).movedim(1, -1)
