"""The latent before the denoiser is called: what an intervention may ask about it, and what it reports of its changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from .events import CallNotes, Step
    from .intervention import Observer

Loss = Callable[[list["CallNotes"]], Tensor]


@dataclass(frozen=True)
class Iteration:
    """One evaluation of a loss, `number` of at most `most` at a step.

    `values` has a number for each sample, or one for each sample and phrase; `running` says which samples still change. `words`
    tells by equality what it was for; files do not keep it.
    """

    step: Step
    number: int
    most: int
    phrases: tuple[str, ...]
    values: Mapping[str, np.ndarray]
    running: tuple[bool, ...]
    words: object | None = None


@dataclass(frozen=True)
class LatentStep:
    """The sampler's own latent at the first denoiser call of a step.

    Args:
        step: where the run is.
        x: the latent as the sampler holds it, [B, ...].
        video: shape [B, C, T, H, W] of the video in it.
        gradient: (x, tap, loss, context, keep_attention) -> gradient of the loss at x, for the positive prompt with this context
            alone (None: whatever it is); `keep_attention` spends memory to save time.
        record: keeps an iteration for charts, shows it to the user, and ends the run where the user interrupts.
        announce: (tap, keep_attention) -> says in the log, once a run, how much memory such gradients take.
    """

    step: Step
    x: Tensor
    video: tuple[int, ...]
    gradient: Callable[[Tensor, Observer, Loss, Tensor | None, bool], Tensor]
    record: Callable[[Iteration], None]
    announce: Callable[[Observer, bool], None]
