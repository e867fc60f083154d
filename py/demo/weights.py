"""The demo network's sizes, and its trained weights: `demo.safetensors`, in float16."""

import json
from dataclasses import dataclass
from pathlib import Path

import comfy.ldm.wan.model
import comfy.ops
import comfy.utils
import torch
from torch import Tensor

from .codec import CHANNELS
from .vocabulary import WIDTH

FILE = Path(__file__).with_name("demo.safetensors")


@dataclass(frozen=True)
class Architecture:
    """Sizes of the demo network; everything else is Wan 2.1's text-to-video network."""

    dim: int = 128
    heads: int = 4
    blocks: int = 6
    ffn: int = 512
    text_dim: int = WIDTH
    channels: int = CHANNELS

    def metadata(self) -> dict[str, str]:
        """What ComfyUI's loader cannot read off the shapes, in the form of safetensors metadata."""
        return {"config": json.dumps({"transformer": {"num_heads": self.heads, "text_dim": self.text_dim}})}


ARCHITECTURE = Architecture()


def weights() -> dict[str, Tensor]:
    """A new dict of the trained weights by name, in float32."""
    return {name: value.float() for name, value in comfy.utils.load_torch_file(str(FILE)).items()}


def empty_network(device: str) -> torch.nn.Module:
    """The network with uninitialised float32 weights on `device`."""
    return comfy.ldm.wan.model.WanModel(
        dim=ARCHITECTURE.dim,
        num_heads=ARCHITECTURE.heads,
        num_layers=ARCHITECTURE.blocks,
        ffn_dim=ARCHITECTURE.ffn,
        text_dim=ARCHITECTURE.text_dim,
        in_dim=ARCHITECTURE.channels,
        out_dim=ARCHITECTURE.channels,
        device=device,
        dtype=torch.float32,
        operations=comfy.ops.disable_weight_init,
    )
