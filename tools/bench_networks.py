"""What `dev.py bench` samples: random networks as the host loads them, with latents and conditionings of their shapes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from tools import inside_host  # noqa: F401  isort: skip  (before every comfy import)

import comfy.ldm.wan.model
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.supported_models

from pack.py.core.frame_text import KeyMark
from pack.py.host.key_texts import KEY
from pack.py.prompts.key_places import Placement
from pack.py.prompts.key_prompts import KeyPrompt

DIM, HEADS, BLOCKS, TEXT, WORDS, KEY_PROMPTS = 512, 4, 8, 64, 32, 8  # of the Wan
IMAGE = 64  # width of the token of CLIP vision that SVD has in place of text


@dataclass(frozen=True)
class Subject:
    """A network, the latent that it samples, the [tokens, width] of its text, and what else its conditioning holds."""

    load: Callable[[], object]
    latent: tuple[int, ...]
    text: tuple[int, int]
    extras: dict = field(default_factory=dict)

    def conditioning(self, seed: int = 1, **options) -> list:
        """Of random words."""
        words = torch.randn(1, *self.text, generator=torch.manual_seed(seed))
        return [[words, {**self.extras, **options}]]

    def synopsis(self) -> list:
        """Key prompts spread over the video."""
        placement = Placement((KeyPrompt("a"),) * KEY_PROMPTS, compression=4, fps=16.0)
        marks = [KeyMark(placement, i, KEY_PROMPTS) for i in range(KEY_PROMPTS)]
        return [cond for i, mark in enumerate(marks) for cond in self.conditioning(i, **{KEY: mark})]


def wan():
    """Attention over all frames, and to text."""
    torch.manual_seed(0)
    empty = comfy.ldm.wan.model.WanModel(
        dim=DIM, ffn_dim=4 * DIM, num_heads=HEADS, num_layers=BLOCKS, text_dim=TEXT, in_dim=16, out_dim=16, device="cpu",
        dtype=torch.float32, operations=comfy.ops.disable_weight_init,
    )  # fmt: skip
    metadata = {"config": json.dumps({"transformer": {"num_heads": HEADS, "text_dim": TEXT}})}
    options = {"dtype": torch.float32}
    return comfy.sd.load_diffusion_model_state_dict(_random(empty), model_options=options, metadata=metadata)


def svd():
    """A UNet with layers over space and layers over time; no file could tell the host's loader its sizes."""
    torch.manual_seed(0)
    settings = comfy.supported_models.SVD_img2vid({
        "image_size": 32, "in_channels": 8, "out_channels": 4, "model_channels": 128, "num_res_blocks": [1, 1, 1],
        "channel_mult": [1, 2, 4], "transformer_depth": [1, 1, 1], "transformer_depth_output": [1] * 6,
        "transformer_depth_middle": 1, "num_head_channels": 64, "context_dim": IMAGE, "adm_in_channels": 768,
        "num_classes": "sequential", "use_spatial_transformer": True, "legacy": False, "use_linear_in_transformer": True,
        "use_temporal_attention": True, "use_temporal_resblock": True, "use_spatial_context": True, "extra_ff_mix_layer": True,
        "merge_strategy": "learned_with_images", "video_kernel_size": [3, 1, 1],
    })  # fmt: skip
    settings.set_inference_dtype(torch.float32, None)
    model = settings.get_model({}, "", device=torch.device("cpu"))
    model.diffusion_model.load_state_dict(_random(model.diffusion_model))
    devices = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    return comfy.model_patcher.CoreModelPatcher(model, *devices)


def _random(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights by which signals neither die nor explode; norms are the identity."""
    weights = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    for name, value in weights.items():
        if value.ndim > 1:
            value.normal_(std=1 / math.sqrt(value[0].numel()))
        elif name.endswith("weight"):
            value.fill_(1)
    return weights


WAN = Subject(wan, (1, 16, 9, 32, 32), (WORDS, TEXT))
SVD = Subject(svd, (14, 4, 32, 32), (1, IMAGE), {"concat_latent_image": torch.zeros(1, 4, 32, 32)})
