"""Tiny vision models of the host's own classes, one of every kind that it loads."""

import comfy.clip_vision
import torch

CLIP = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_channels": 3,
    "image_size": 28, "patch_size": 14, "hidden_act": "quick_gelu",
}  # fmt: skip
DINO = CLIP | {"layer_norm_eps": 1e-6, "use_swiglu_ffn": False}
CONFIGS = {
    "CLIP": CLIP | {"model_type": "clip_vision_model", "projection_dim": 16},
    "SigLIP": CLIP | {"model_type": "siglip_vision_model"},
    "SigLIP 2": CLIP | {"model_type": "siglip2_vision_model", "num_patches": 16, "patch_size": 7},
    "DINOv2": DINO | {"model_type": "dinov2"},
}
DINO_3 = DINO | {"model_type": "dinov3", "num_register_tokens": 1, "rope_theta": 100.0}


def vision_model(config):
    """A CLIP_VISION of the host's own class, with random weights."""
    made = comfy.clip_vision.ClipVisionModel(config)
    torch.manual_seed(0)
    for parameter in made.model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made
