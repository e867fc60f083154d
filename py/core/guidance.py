"""Guidance: combining predictions, and asking the network for one more under an edit of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from .events import Branch, Step
    from .intervention import Intervention


@dataclass(frozen=True)
class Asked:
    """Marks a network call that an intervention asked for beyond the sampler's own.

    Args:
        owner: the intervention.
        edit: what it makes of this call, in its own words.
        side: whose prediction it is, whatever the guider calls the conditionings; None = as they are called.
        first: the first block that the edit can change; what comes before it is as in the sampler's own call.
    """

    owner: Intervention
    edit: str
    side: Branch | None = None
    first: int = 0


@dataclass(frozen=True)
class Prediction:
    """One prediction of the denoised latent, all tensors of the latent's shape.

    Args:
        step: where the run is.
        denoised: as guidance so far combined it.
        cond, uncond: the two sides; uncond is None where the sampler did not ask for it (guidance scale 1).
        scale: the scale of classifier-free guidance.
        window: how many steps of the run are in the window of whoever combines.
        ask: (side, edit, first block that the edit can change) -> what the network predicts for it under the edit.
        memory: kept over the run by whoever combines.
    """

    step: Step
    denoised: Tensor
    cond: Tensor
    uncond: Tensor | None
    scale: float
    window: int
    ask: Callable[[Branch, str, int], Tensor]
    memory: dict = field(default_factory=dict, compare=False)
