"""Random weights from which the demo network can be trained anew."""

import math

import torch
from torch import Tensor

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


def initial_weights(network: torch.nn.Module, seed: int) -> dict[str, Tensor]:
    """A new dict of weights for the network's parameters, by name."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _initial(name, value.shape, generator) for name, value in network.state_dict().items()}


def _initial(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    matrix = (0.0, 1 / math.sqrt(shape[1:].numel()))
    mean, deviation = next((value for end, value in INITIAL.items() if name.endswith(end)), matrix)
    return mean + deviation * torch.randn(shape, generator=generator)
