"""What a frame attention matrix transports: how much stays, how widely, how evenly, and in which direction of time.

Temporal State Transport in Video Generation (Tang et al.), appendix C, F and L. In float64, on the CPU, for traces.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import entr


def self_retention(a: np.ndarray) -> np.ndarray:
    """[..., F, F] with rows that sum to 1 -> [...] mean of the diagonal; cross-frame mass is 1 minus it."""
    return np.diagonal(a, axis1=-2, axis2=-1).mean(-1)


def gini(a: np.ndarray) -> np.ndarray:
    """[..., F, F] -> [...] mean Gini coefficient of the rows: 0 = all frames alike, 1 = all on one frame.

    sum_k (2 k - F - 1) a_(k) / ((F - 1) sum_k a_(k)) over each row in rising order, the sample form that reaches 1.
    """
    frames = a.shape[-1]
    weights = 2 * np.arange(1, frames + 1) - frames - 1
    return (np.sort(a, axis=-1) @ weights / ((frames - 1) * a.sum(-1))).mean(-1)


def effective_rank(a: np.ndarray) -> np.ndarray:
    """[..., F, F] -> [...] exp of the entropy of the singular values over their sum, from 1 to F (Roy and Vetterli, 2007)."""
    values = np.linalg.svd(a, compute_uv=False)
    return np.exp(entr(values / values.sum(-1, keepdims=True)).sum(-1))


def future_past_balance(a: np.ndarray) -> np.ndarray:
    """[..., F, F] -> [...] mass on later frames minus mass on earlier ones, averaged over rows, in (-1, 1) (appendix L)."""
    return (np.triu(a, 1).sum((-2, -1)) - np.tril(a, -1).sum((-2, -1))) / a.shape[-1]


def spectral_entropy(spectrum: np.ndarray) -> np.ndarray:
    """[..., F] eigenvalues that sum to 1 -> [...] -sum lambda log lambda over log F (Eq. 2)."""
    return entr(spectrum).sum(-1) / math.log(spectrum.shape[-1])
