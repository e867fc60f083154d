"""Masks of attention: boolean ones say which keys a query may attend to, additive ones are added to its scores."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def additive(mask: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """A mask of either sort (True = may attend) as one that adds to scores, in this dtype."""
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, -math.inf)
    return mask.to(dtype)


def without_effect(like: Tensor) -> Tensor:
    """A mask of the same sort and shape that changes nothing."""
    return torch.full_like(like, like.dtype == torch.bool)
