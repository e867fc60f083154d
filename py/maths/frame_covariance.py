"""Gaussian noise whose frames are correlated: its covariance, how far it is from white noise, and how white noise becomes it.

VSTAR: Generative Temporal Nursing (Li et al.), appendix B, Eq. 5 and 7.
"""

from __future__ import annotations

import torch
from torch import Tensor


def covariance(beta: Tensor, gamma: Tensor, frames: int) -> Tensor:
    """Eq. 5: [B], [B] -> [B, F, F] with beta on the diagonal and gamma^|i-j| beside it; beta 1, gamma 0 is the identity."""
    place = torch.arange(frames, device=gamma.device, dtype=gamma.dtype)
    powers = gamma[:, None, None] ** (place[:, None] - place).abs()
    return torch.where(torch.eye(frames, dtype=torch.bool, device=gamma.device), beta[:, None, None], powers)


def least_beta(gamma: Tensor, frames: int) -> Tensor:
    """[B] -> [B], the beta at which the covariance stops being positive definite."""
    return 1 - torch.linalg.eigvalsh(covariance(torch.ones_like(gamma), gamma, frames))[:, 0]


def divergence(mean: Tensor, sigma: Tensor) -> Tensor:
    """Eq. 7: KL(N(mean, sigma) || N(0, I)) in nats of one position over the frames, averaged over channels and positions.

    KL = (tr sigma + |mean|^2 - F - log det sigma) / 2.

    Args:
        mean: [B, C, F, h, w], over F for each position.
        sigma: [B, F, F], the same at every position.

    Returns:
        [B].
    """
    frames = sigma.shape[-1]
    size = mean.square().sum(2).flatten(1).mean(1)
    return (sigma.diagonal(dim1=-2, dim2=-1).sum(-1) + size - frames - torch.logdet(sigma)) / 2


def correlated(white: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """mean + L white over the frames, with L L^T = sigma: white noise [B, C, F, h, w] as a sample of N(mean, sigma)."""
    factor = torch.linalg.cholesky(sigma).to(white)
    return mean + torch.einsum("bij,bcjhw->bcihw", factor, white)
