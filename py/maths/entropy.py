"""Row entropy, von Neumann entropy and Spectral Tension of a frame attention matrix.

Temporal State Transport in Video Generation (Tang et al.), Eq. 1 to 3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

STEP = 1.0
LOWEST, HIGHEST = -14.0, 7.0
MOST_ELEMENTS = 2**24


def row_entropy(pattern: Tensor) -> Tensor:
    """[..., F, F] with rows that sum to 1 -> [...] mean entropy of the rows over log F, in [0, 1] (Eq. 1)."""
    return torch.special.entr(pattern).sum(-1).mean(-1) / math.log(pattern.shape[-1])


def density(pattern: Tensor) -> Tensor:
    """[..., F, F] -> rho = A A^T / tr(A A^T), of the same shape."""
    gram = pattern @ pattern.mT
    return gram / gram.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]


def von_neumann_entropy(rho: Tensor) -> Tensor:
    """[..., F, F] symmetric, trace 1 -> [...] -sum lambda log lambda over log F, in [0, 1] (Eq. 2).

    Without eigenvalues, because asking a GPU for them makes the host wait. From the integral of log,

        -sum lambda log lambda = integral over u of t (tr rho (rho + t)^-1 - 1 / (1 + t)),  t = e^u,

    whose trapezoid rule converges exponentially (an error of 2 exp(-2 pi^2 / STEP)); both ends decay as a geometric
    series, which the first and the last weight add up. Within 5e-6 of float64 eigenvalues for F from 2 to 129.
    """
    shape, frames = rho.shape[:-2], rho.shape[-1]
    t = torch.arange(LOWEST, HIGHEST + STEP, STEP, device=rho.device).exp()
    weights = STEP * t
    weights[0] /= 1 - math.exp(-STEP)
    weights[-1] /= 1 - math.exp(-STEP)
    chunk = max(1, MOST_ELEMENTS // (len(t) * frames**2))
    parts = rho.reshape(-1, frames, frames).split(chunk)
    entropies = torch.cat([((_resolvent_traces(part, t) - 1 / (1 + t)) * weights).sum(-1) for part in parts])
    return entropies.reshape(shape) / math.log(frames)


def tension(h_row: Tensor, h_vn: Tensor) -> Tensor:
    """Spectral Tension T = H_row - H_vN in [-1, 1]: -1 for the identity, +1 for the uniform pattern (Eq. 3)."""
    return h_row - h_vn


def _resolvent_traces(rho: Tensor, shifts: Tensor) -> Tensor:
    """[n, F, F], [T] -> [n, T] traces of rho (rho + t)^-1 = (L^-1) . (L^-1 rho), where L L^T = rho + t."""
    eye = torch.eye(rho.shape[-1], device=rho.device, dtype=rho.dtype)
    rho = rho.unsqueeze(1)
    lower, _ = torch.linalg.cholesky_ex(rho + shifts[:, None, None] * eye)
    inverse = torch.linalg.solve_triangular(lower, eye.expand_as(lower), upper=False)
    return (inverse * (inverse @ rho)).sum((-2, -1))
