"""Initial noise with correlated frames, and how it was found (VSTAR, appendix B)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..maths.frame_covariance import correlated, covariance
from .errors import TemporalAttentionError


@dataclass(frozen=True, eq=False)
class NoiseDistribution:
    """N(mean, Sigma(beta, gamma)) for each video of a batch: mean [B, C, F, h, w], beta and gamma [B] float64."""

    mean: Tensor
    beta: Tensor
    gamma: Tensor

    @classmethod
    def white(cls, like: Tensor) -> NoiseDistribution:
        """N(0, I) for noise of this shape."""
        videos = len(like)
        return cls(torch.zeros_like(like), torch.ones(videos, dtype=torch.float64), torch.zeros(videos, dtype=torch.float64))

    @property
    def is_white(self) -> bool:
        """Is it N(0, I)?"""
        return not self.mean.any() and bool((self.beta == 1).all()) and not self.gamma.any()

    def sigma(self) -> Tensor:
        """[B, F, F] float64 covariance between frames."""
        return covariance(self.beta, self.gamma, self.mean.shape[2])

    def of(self, white: Tensor) -> Tensor:
        """White noise [B, C, F, h, w] as a sample of this distribution, in its dtype; of N(0, I) the very same tensor.

        Raises TemporalAttentionError for noise of another shape.
        """
        if white.shape != self.mean.shape:
            raise TemporalAttentionError(
                f"a latent of the shape that the noise was optimised for, {list(self.mean.shape)}",
                f"one of {list(white.shape)}",
                "Connect the same latent to Initial Noise Nursing and to the sampler.",
            )
        return white if self.is_white else correlated(white, self.mean.to(white), self.sigma())


@dataclass(frozen=True)
class NursingIteration:
    """One evaluation, a number for each video: distance of the attention from the reference's, KL, beta and gamma."""

    distance: tuple[float, ...]
    divergence: tuple[float, ...]
    beta: tuple[float, ...]
    gamma: tuple[float, ...]
