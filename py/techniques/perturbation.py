"""Attention Perturbation: replaces the pattern of an attention by the identity, by the uniform matrix, or by a mix of both.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 3.1 and Fig. 14.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.attention import Attention
from ..core.checks import within
from ..core.errors import TemporalAttentionError
from ..core.intervention import Intervention
from .pattern import SQUARE, identity, uniform

IDENTITY, UNIFORM = 1.0, 0.0


@dataclass(frozen=True, kw_only=True)
class AttentionPerturbation(Intervention):
    """Gives the video rows (alpha I + (1 - alpha) U) V instead of A V; text rows of a joint attention stay as they are.

    IV is a token's own value. UV is the mean of the values of all keys of the row: in a joint attention text and video, without
    padding. The kernel still runs.

    Args:
        alpha: 1 = identity, 0 = uniform. Cross-attention has no identity: there only 0.
        strength: 0 is neutral, 1 replaces; between them A V is blended with the replacement.
    """

    alpha: float = IDENTITY
    strength: float = 1.0

    def __post_init__(self):
        for name in ("alpha", "strength"):
            within(name, getattr(self, name), 0, 1)
        if self.alpha != UNIFORM and not self.where.kinds <= SQUARE:
            raise TemporalAttentionError(
                "uniform as the replacement in cross-attention",
                f"an identity share of {self.alpha:g}",
                "Its keys do not include video tokens, so there is no identity. Choose uniform, or another attention.",
            )

    @classmethod
    def neutral(cls) -> AttentionPerturbation:
        """strength = 0: the attention is what it was."""
        return cls(strength=0.0)

    def acts(self) -> bool:
        """False at strength 0."""
        return self.strength != 0.0

    def after(self, call: Attention, out: Tensor) -> Tensor:
        """A V + strength ((alpha I + (1 - alpha) U) V - A V) on the video rows, rounded once to the dtype of the output."""
        video = call.forward.grid.video
        replaced = self._replacement(call).to(torch.float32)
        kept = out[:, :, video].float()
        out = out.clone()
        out[:, :, video] = torch.lerp(kept, replaced.expand_as(kept), self.strength).to(out.dtype)
        return out

    def _replacement(self, call: Attention) -> Tensor:
        if self.alpha == IDENTITY:
            return identity(call)
        mean = uniform(call)
        return mean if self.alpha == UNIFORM else torch.lerp(mean, identity(call).float(), self.alpha)
