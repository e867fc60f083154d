"""Probes of massive activations: zero them, amplify them, or set them to a multiple of their maximum.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), section 4 and Fig. 3. Amplifying all tokens by
1 + omega is Detail Guidance as its Eq. 2 simplifies it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.checks import finite, one_of
from ..core.events import Block
from ..core.intervention import Intervention
from ..maths.steering import replaced, selected, toward_peak
from ..maths.token_regions import ALL_TOKENS, FIRST_FRAME
from .block_settings import check_channels

ACTIONS = ("zero", "amplify", "set to maximum")
SCOPES = {"all tokens": ALL_TOKENS, "first frame": FIRST_FRAME}


@dataclass(frozen=True, kw_only=True)
class ActivationProbe(Intervention):
    """Changes chosen channels of a block's output, at all video tokens or at those of the first latent frame.

    Args:
        channels: which channels; none: nothing is changed.
        action: "zero"; "amplify": x <- factor x; "set to maximum": x <- factor max_j |x_j| sign(x).
        factor: 2.5 in the paper.
        scope: a key of SCOPES.
    """

    channels: tuple[int, ...] = ()
    action: str = ACTIONS[0]
    factor: float = 2.5
    scope: str = "all tokens"

    def __post_init__(self):
        check_channels(self.channels)
        finite("factor", self.factor)
        one_of("action", self.action, ACTIONS)
        one_of("scope", self.scope, SCOPES)

    @classmethod
    def neutral(cls) -> ActivationProbe:
        """Amplifying by 1 changes nothing."""
        return cls(channels=(0,), action="amplify", factor=1.0)

    def acts(self) -> bool:
        """False without channels, and where it would amplify by 1."""
        return bool(self.channels) and (self.action, self.factor) != ("amplify", 1.0)

    def block(self, call: Block) -> Block:
        """The block's output with the probe's values in its channels and tokens."""
        values = self._values(selected(call.x, self.channels))
        return call.edit(x=replaced(call.x, self.channels, values, call.forward.grid.frames, (SCOPES[self.scope],)))

    def _values(self, x: Tensor) -> Tensor:
        if self.action == "zero":
            return torch.zeros_like(x)
        return self.factor * x if self.action == "amplify" else toward_peak(x, self.factor)
