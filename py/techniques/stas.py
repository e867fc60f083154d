"""Structured Activation Steering: lifts massive activations at the first latent frame and at the boundaries of the later ones.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), section 5 and Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..core.checks import at_least, finite, one_of
from ..core.events import Block
from ..core.intervention import Intervention, Window
from ..maths.steering import replaced, selected, toward_peak
from ..maths.token_regions import FIRST_FRAME, Region, boundary
from .block_settings import check_channels, check_percent

RULES = ("max", "scaling")
EARLY_END = 0.39  # with a flow model's usual schedule: the first 20 of 50 steps, and no 21st


@dataclass(frozen=True, kw_only=True)
class StructuredActivationSteering(Intervention):
    """Moves massive activations of a block's output toward g (Eq. 3) at the tokens S = first frame and boundaries (Eq. 4).

    All in one block (`where.blocks`), on both branches, in the early steps. It costs one copy of that block's output (N tokens
    x C channels) and about 8 operations for each token and chosen channel, once a network call.

    Args:
        channels: the massive channels of this network; none: nothing is steered.
        alpha: how far above the sample's largest magnitude the "max" rule lifts: g = alpha max_j |x_j| sign(x_i) (Eq. 5).
        percent: p, the size of a boundary in % of a frame's tokens, 0 to 50.
        rule: "max" (the paper) or "scaling" (its ablation): g = (1 + omega) x_i.
        omega: the gain of "scaling".
        first_frame, boundaries: which of the two token sets are steered.
        strength: 0 is neutral, 1 the paper: x + strength (g - x).
    """

    channels: tuple[int, ...] = ()
    alpha: float = 2.5
    percent: float = 8.0
    rule: str = RULES[0]
    omega: float = 1.5
    first_frame: bool = True
    boundaries: bool = True
    strength: float = 1.0
    window: Window = field(default_factory=lambda: Window(0.0, EARLY_END))

    def __post_init__(self):
        check_channels(self.channels)
        check_percent(self.percent)
        for name in ("alpha", "omega", "strength"):
            finite(name, getattr(self, name))
        at_least("alpha", self.alpha, 0, "1.2 to 2.5 are the paper's values.")
        one_of("rule", self.rule, RULES)

    @classmethod
    def neutral(cls) -> StructuredActivationSteering:
        """strength = 0: every activation stays as it is."""
        return cls(channels=(0,), strength=0.0)

    def acts(self) -> bool:
        """False at strength 0, without channels, without tokens, and where the target is what is there."""
        tokens = self.first_frame or (self.boundaries and self.percent > 0)
        return self.strength != 0.0 and bool(self.channels) and tokens and (self.rule, self.omega) != ("scaling", 0.0)

    def block(self, call: Block) -> Block:
        """x <- x + strength (g - x) at the chosen tokens and channels, in float32 and rounded once to x's dtype."""
        grid = call.forward.grid
        x = selected(call.x, self.channels)
        target = toward_peak(x, self.alpha) if self.rule == "max" else (1 + self.omega) * x
        values = torch.lerp(x, target, self.strength)  # lerp is exactly g at 1
        return call.edit(x=replaced(call.x, self.channels, values, grid.frames, self._regions(grid.spatial)))

    def _regions(self, spatial: int) -> tuple[Region, ...]:
        first = (FIRST_FRAME,) if self.first_frame else ()
        return (*first, *boundary(spatial, self.percent)) if self.boundaries else first
