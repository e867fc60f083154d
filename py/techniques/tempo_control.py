"""TempoControl: moves a phrase's attention to the frames where it is wanted, by changing the latent in the first steps.

TempoControl: Temporal Attention Guidance for Text-to-Video Models (Schiber et al.), section 3.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.checks import at_least, finite
from ..core.events import Branch, Forward
from ..core.intervention import Intervention, Where, Window
from ..core.latent import Iteration, LatentStep
from ..maths.tempo_losses import ENTROPY_WEIGHT, MASS_WEIGHT
from ..prompts.timed_words import TimedWords
from .tempo_evaluation import Evaluation
from .word_maps import KINDS
from .word_record import WordRecorder

log = logging.getLogger("temporal_attention")

TUNED_VALUES = 100_000  # of a latent frame, at which the published learning rates were found


@dataclass(frozen=True, kw_only=True)
class TempoControl(Intervention):
    """Up to `iterations` steps of AdamW on the latent before the denoiser is called, at each sampling step of the window.

    The loss is L = L_corr + mass_weight L_mag + entropy_weight L_ent, averaged over phrases; every sample of a batch has its own.

    Args:
        words: the phrases and when they are wanted; without any, nothing is changed.
        lr: learning rate at 100,000 values a latent frame; others take lr sqrt(100000 / values). 0 is neutral.
        iterations: at most so many updates a step; 0 is neutral.
        mass_weight: lambda 1.
        entropy_weight: lambda 2.
        wanted_mass: how much of L_mag asks for more attention in the wanted frames, beside less in the others; 1 is the paper's.
            Attention has no upper end there: things grow or come twice, and L_corr brings them without it.
        stop_correlation: a sample has enough for this step once every phrase reaches it,
        stop_ratio: and the attention of its unwanted frames falls to this share of that of the wanted ones (None: as the paper).
        keep_attention: keep attention outputs between forward and backward: faster, more memory.
    """

    words: TimedWords | None = None
    lr: float = 5e-4
    iterations: int = 10
    mass_weight: float = MASS_WEIGHT
    entropy_weight: float = ENTROPY_WEIGHT
    wanted_mass: float = 0.0
    stop_correlation: float = 0.9
    stop_ratio: float | None = 0.6
    keep_attention: bool = False
    window: Window = field(default_factory=lambda: Window(0.0, 0.2))
    where: Where = field(default_factory=lambda: Where(KINDS))
    branch: Branch | None = Branch.COND

    def __post_init__(self):
        for name in ("lr", "iterations", "mass_weight", "entropy_weight", "wanted_mass", "stop_correlation"):
            finite(name, getattr(self, name))
        at_least("the learning rate", self.lr, 0, "0 changes nothing.")
        at_least("iterations", self.iterations, 0, "0 changes nothing.")

    @classmethod
    def neutral(cls) -> TempoControl:
        """No iterations: the latent stays as it is."""
        return cls(iterations=0)

    def acts(self) -> bool:
        """False without phrases, iterations or a learning rate."""
        return self.words is not None and self.iterations > 0 and self.lr > 0

    def concerns(self, forward: Forward) -> bool:
        """It acts before network calls, never inside."""
        return False

    def latent(self, latent: LatentStep) -> Tensor:
        """The optimised latent, of x's shape and dtype."""
        _, channels, frames, height, width = latent.video
        self.words.check(frames)
        rate = self.lr * math.sqrt(TUNED_VALUES / (channels * height * width))
        tap = WordRecorder(words=self.words, where=self.where)
        latent.announce(tap, self.keep_attention)
        with torch.inference_mode(False):
            samples = [_Sample(row.clone().float(), rate) for row in latent.x.split(1)]
            for number in range(1, self.iterations + 1):
                running = tuple(sample.running for sample in samples)
                if not any(running):
                    break
                found = self._evaluate(latent, samples, tap)
                phrases, values = self.words.tempo.phrases, found.values
                latent.record(Iteration(latent.step, number, self.iterations, phrases, values, running, self.words))
            return torch.cat([sample.x for sample in samples]).to(latent.x.dtype)

    def _evaluate(self, latent: LatentStep, samples: list[_Sample], tap: WordRecorder) -> Evaluation:
        """One evaluation of all samples, and an update of those that need one."""
        weights = self.mass_weight, self.entropy_weight
        found = Evaluation(self.words, latent.video[2], len(samples), weights, self.wanted_mass)
        x = torch.cat([sample.x for sample in samples])
        gradient = latent.gradient(x, tap, found.loss, self.words.context, self.keep_attention)
        enough = found.satisfied(self.stop_correlation, self.stop_ratio)
        usable = torch.isfinite(gradient).flatten(1).all(1).tolist()
        for index, sample in enumerate(samples):
            if sample.running and not (usable[index] and math.isfinite(found.values["loss"][index])):
                sample.go_back()
                log.warning(
                    "TempoControl: no finite gradient for sample %d at step %d; its last good latent is kept.",
                    index, latent.step.index + 1,
                )  # fmt: skip
            elif sample.running:
                sample.advance(gradient[index : index + 1], enough[index])
        return found


class _Sample:
    """The latent of one sample on its way: AdamW with PyTorch's defaults, new for every sampling step."""

    def __init__(self, x: Tensor, rate: float):
        self.x, self.running = x, True
        self._good = x
        self._parameter = x.clone().requires_grad_()
        self._optimiser = torch.optim.AdamW([self._parameter], lr=rate)

    def advance(self, gradient: Tensor, enough: bool) -> None:
        """Stops where the sample has enough, else takes one update."""
        self._good = self.x
        if enough:
            self.running = False
            return
        self._parameter.grad = gradient
        self._optimiser.step()
        self.x = self._parameter.detach().clone()

    def go_back(self) -> None:
        """Stops at the last latent that had a finite gradient."""
        self.x, self.running = self._good, False
