"""Embeddings of frames by the host's CLIP_VISION: CLIP, SigLIP and DINOv2."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.errors import TemporalAttentionError
from .watch import Watch

FRAMES_A_BATCH = 16
NAMES = {
    "clip_vision_model": "CLIP",
    "siglip_vision_model": "SigLIP",
    "siglip2_vision_model": "SigLIP 2",
    "dinov2": "DINOv2",
}


def embed(clip_vision, images: Tensor, watch: Watch) -> tuple[str, Tensor]:
    """The kind of the model in words, and float64 embeddings [F, D] of whole frames [F, H, W, 3].

    Frames are squeezed to the model's square, so that nothing is cropped off.
    Raises TemporalAttentionError for a model that the host loads but cannot encode images with (DINOv3 in ComfyUI 0.30).
    """
    kind = clip_vision.model_type
    if kind not in NAMES:
        raise TemporalAttentionError(
            f"a vision model of the kinds {', '.join(NAMES.values())}",
            kind,
            "Load another one, such as CLIP ViT-H or DINOv2, or leave the input unconnected to measure by pixels.",
        )
    found = []
    for batch in watch(images.split(FRAMES_A_BATCH)):
        vectors = clip_vision.encode_image(batch, crop=False)["image_embeds"]
        if vectors.ndim == 3:  # SigLIP: the host leaves its tokens unpooled
            vectors = vectors.mean(1)
        found.append(vectors.cpu().double())
    return NAMES[kind], torch.cat(found)
