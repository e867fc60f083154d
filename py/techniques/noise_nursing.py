"""Initial noise nursing: finds noise with which a model attends between frames as it does in a reference video.

VSTAR: Generative Temporal Nursing (Li et al.), appendix B.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.checks import at_least, finite
from ..core.noise import NoiseDistribution, NursingIteration
from ..maths.frame_covariance import correlated, covariance, divergence, least_beta

log = logging.getLogger("temporal_attention")

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]

ROOM = 0.02  # of beta above the least one, so that the covariance stays positive definite
MOST_GAMMA = 0.95


@dataclass(frozen=True, kw_only=True)
class NoiseNursing:
    """Minimises L = ||A_ref - A_t|| + kl_weight KL(N(mu, Sigma) || N(0, I)) over mu, beta and gamma (Eq. 8), by Adam.

    The noise is mu + L z with L L^T = Sigma(beta, gamma) and the white noise z of a seed. The paper leaves the shape of mu, the
    weight and the optimiser open: mu is one value for each value of the latent, or 0.

    Args:
        iterations: updates; 0 leaves the noise as it is.
        lr: learning rate of all three.
        kl_weight: lambda; the divergence is that of one position over the frames.
        mean: is mu optimised?
    """

    iterations: int = 20
    lr: float = 0.05
    kl_weight: float = 0.1
    mean: bool = True

    def __post_init__(self):
        for name in ("iterations", "lr", "kl_weight"):
            finite(name, getattr(self, name))
            at_least(name, getattr(self, name), 0, "0 switches it off.")

    def acts(self) -> bool:
        """False where the noise stays as it is."""
        return self.iterations > 0 and self.lr > 0

    def optimise(
        self, white: Tensor, evaluate: Evaluate, watch: Callable[[Sequence], Iterable] = iter
    ) -> tuple[NoiseDistribution, list[NursingIteration]]:
        """The best distribution that was evaluated, N(0, I) among them, for each video by itself, and all evaluations.

        Args:
            white: [B, C, F, h, w] float32 noise of the seed.
            evaluate: noise -> ||A_ref - A_t|| of each video [B] and the gradient of their sum at the noise.
            watch: goes round the loop, for progress and interrupts.
        """
        with torch.inference_mode(False), torch.enable_grad():
            search = _Search(self, white.clone())
            for number in watch(range(self.iterations + 1)):
                if not search.evaluate(evaluate):
                    log.warning(
                        "Initial Noise Nursing: no finite gradient after %d updates; the best noise so far is kept.", number
                    )
                    break
                if number < self.iterations:
                    search.update()
            return search.best(), search.history


class _Search:
    """The parameters on their way."""

    def __init__(self, settings: NoiseNursing, white: Tensor):
        start = NoiseDistribution.white(white)
        self.settings, self.white, self.history = settings, white, []
        self.mean, self.beta, self.gamma = start.mean, start.beta.requires_grad_(), start.gamma.requires_grad_()
        self._parameters = [self.beta, self.gamma]
        if settings.mean:
            self._parameters.append(self.mean.requires_grad_())
        self._optimiser = torch.optim.Adam(self._parameters, lr=settings.lr)
        self._least = torch.full_like(start.beta, torch.inf)
        self._best = [x.detach().clone() for x in (self.mean, self.beta, self.gamma)]

    def evaluate(self, evaluate: Evaluate) -> bool:
        """Evaluates where the parameters are; False where the result is not finite."""
        sigma = covariance(self.beta, self.gamma, self.white.shape[2])
        noise, apart = correlated(self.white, self.mean, sigma), divergence(self.mean, sigma)
        distance, gradient = evaluate(noise.detach())
        distance = distance.to(apart)
        if not (torch.isfinite(gradient).all() and torch.isfinite(distance).all()):
            return False
        self._remember(distance, apart.detach())
        outputs, weights = [noise, apart], [gradient.to(noise), torch.full_like(apart, self.settings.kl_weight)]
        for parameter, found in zip(self._parameters, torch.autograd.grad(outputs, self._parameters, weights), strict=True):
            parameter.grad = found
        return True

    def update(self) -> None:
        """One step, back to where the covariance is positive definite."""
        self._optimiser.step()
        with torch.no_grad():
            self.gamma.clamp_(-MOST_GAMMA, MOST_GAMMA)
            self.beta.copy_(torch.maximum(self.beta, least_beta(self.gamma, self.white.shape[2]) + ROOM))

    def best(self) -> NoiseDistribution:
        """The distribution of each video with the least loss so far."""
        return NoiseDistribution(*self._best)

    def _remember(self, distance: Tensor, apart: Tensor) -> None:
        total = distance + self.settings.kl_weight * apart
        better = total < self._least
        self._least = torch.where(better, total, self._least)
        for kept, now in zip(self._best, (self.mean, self.beta, self.gamma), strict=True):
            kept[better] = now.detach()[better]
        self.history.append(NursingIteration(*(tuple(x.detach().tolist()) for x in (distance, apart, self.beta, self.gamma))))
