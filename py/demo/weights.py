"""The demo network's sizes and weights: random ones of a fixed seed, for now."""

import json
import math
from dataclasses import dataclass

import comfy.ldm.wan.model
import comfy.ops
import torch
from torch import Tensor

from .codec import CHANNELS
from .vocabulary import WIDTH

SEED = 0

# End of a parameter's name -> mean and standard deviation; the first match counts. Matrices: mean 0, 1 / sqrt(inputs).
# Random queries and keys of unit size attend almost uniformly. The gain makes them choose; the biases differ from token to token
# only by the rotary embedding, so each head comes to prefer some distances between frames.
INITIAL = {
    "self_attn.norm_q.weight": (1.5, 0.0),
    "self_attn.norm_k.weight": (1.5, 0.0),
    "self_attn.q.bias": (0.0, 1.0),
    "self_attn.k.bias": (0.0, 1.0),
    "norm_q.weight": (1.0, 0.0),
    "norm_k.weight": (1.0, 0.0),
    "norm3.weight": (1.0, 0.0),
    "modulation": (0.0, 0.1),
    "bias": (0.0, 0.0),
}
# Keeps the latents of a run of 20 steps at guidance 4 near unit variance.
HEAD_GAIN = 0.3


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
    """A new dict of the network's float32 weights by name; the same values in every call."""
    generator = torch.Generator().manual_seed(SEED)
    shapes = {name: value.shape for name, value in empty_network("meta").state_dict().items()}
    return {name: _initial(name, shape, generator) for name, shape in shapes.items()}


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


def _initial(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    gain = HEAD_GAIN if name == "head.head.weight" else 1.0
    matrix = (0.0, gain / math.sqrt(shape[1:].numel()))
    mean, deviation = next((value for end, value in INITIAL.items() if name.endswith(end)), matrix)
    return mean + deviation * torch.randn(shape, generator=generator)
