"""Naive float64 references, written from the papers: loops over samples, heads, positions and frames; eigenvalues by numpy."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

Array = np.ndarray


class Measured(NamedTuple):
    """What a frame attention estimator should give: matrix [B, H, F, F], h_row [B, H], rho [B, H, F, F]."""

    matrix: Array
    h_row: Array
    rho: Array

    @property
    def h_vn(self) -> Array:
        """[B, H] von Neumann entropy of each rho."""
        return each_matrix(von_neumann_entropy, self.rho)

    @property
    def tension(self) -> Array:
        """[B, H] Spectral Tension of each head."""
        return self.h_row - self.h_vn


def double(x: torch.Tensor) -> Array:
    """The very values of a tensor, in float64."""
    return x.detach().to(torch.float64).numpy()


def each_matrix(function: Callable[[Array], Array | float], x: Array) -> Array:
    """Applies a function of one matrix to every matrix of x [..., n, m]."""
    lead = x.shape[:-2]
    results = [np.asarray(function(x[index]), dtype=np.float64) for index in product(*map(range, lead))]
    return np.array(results).reshape(lead + results[0].shape)


def entropy(weights: Sequence[float]) -> float:
    """-sum p log p in nats, 0 log 0 = 0."""
    return -sum(p * math.log(p) for p in map(float, weights) if p > 0)


def softmax(scores: Sequence[float]) -> Array:
    """Softmax of one row."""
    weights = np.exp(np.asarray(scores, dtype=np.float64) - max(scores))
    return weights / weights.sum()


def row_entropy(pattern: Array) -> float:
    """Eq. 1: mean entropy of the rows of one F x F pattern over log F."""
    frames = len(pattern)
    return sum(entropy(row) for row in pattern) / frames / math.log(frames)


def density(pattern: Array) -> Array:
    """rho = A A^T / tr(A A^T) of one F x F pattern."""
    gram = pattern @ pattern.T
    return gram / np.trace(gram)


def spectrum(rho: Array) -> Array:
    """Eigenvalues of one density in rising order."""
    return np.linalg.eigvalsh(rho)


def von_neumann_entropy(rho: Array) -> float:
    """Eq. 2: entropy of the eigenvalues of one density over log F."""
    return entropy(spectrum(rho)) / math.log(len(rho))


def tension(pattern: Array) -> float:
    """Eq. 3: T = H_row - H_vN of one F x F pattern."""
    return row_entropy(pattern) - von_neumann_entropy(density(pattern))


def pattern_of(queries: Array, keys: Array, scale: float) -> Array:
    """[n, D], [m, D] -> [n, m] dense softmax over the keys, one score at a time."""
    return np.array([softmax([scale * float(query @ key) for key in keys]) for query in queries])


def _each_head(q: Array, k: Array, one: Callable[[Array, Array], tuple[Array, float, Array]]) -> Measured:
    batch, heads = q.shape[:2]
    results = [[one(q[b, h], k[b, h]) for h in range(heads)] for b in range(batch)]
    return Measured(*(np.array([[result[part] for result in row] for row in results]) for part in range(3)))


def same_position(q: Array, k: Array, scale: float) -> Measured:
    """Softmax over frames at each position s; H_row and rho (not its eigenvalues) averaged over positions."""

    def one(q: Array, k: Array):
        positions = q.shape[1]
        patterns = [pattern_of(q[:, s], k[:, s], scale) for s in range(positions)]
        h_row = sum(row_entropy(a) for a in patterns) / positions
        return sum(patterns) / positions, h_row, sum(density(a) for a in patterns) / positions

    return _each_head(q, k, one)


def pooled(q: Array, k: Array, scale: float) -> Measured:
    """Softmax over frames of the mean queries and mean keys of each frame."""

    def one(q: Array, k: Array):
        a = pattern_of(q.mean(1), k.mean(1), scale)
        return a, row_entropy(a), density(a)

    return _each_head(q, k, one)


def exact(q: Array, k: Array, scale: float, positions: Sequence[int] | None = None) -> Measured:
    """Mean, over query rows of frame i at `positions` (None = all), of the full softmax mass on the keys of frame j."""

    def one(q: Array, k: Array):
        frames, spatial, width = q.shape
        chosen = list(range(spatial)) if positions is None else list(positions)
        keys = k.reshape(frames * spatial, width)
        a = np.zeros((frames, frames))
        for i in range(frames):
            for s in chosen:
                dense = softmax([scale * float(q[i, s] @ key) for key in keys])
                for j in range(frames):
                    a[i, j] += dense[j * spatial : (j + 1) * spatial].sum() / len(chosen)
        return a, row_entropy(a), density(a)

    return _each_head(q, k, one)


ESTIMATORS = {"same_position": same_position, "pooled": pooled, "exact": exact}


def sampled_positions(spatial: int, rows: int, offset: float) -> list[int]:
    """`rows` of the positions of a frame, one at place `offset` of each of as many equal intervals."""
    return list(range(spatial)) if rows >= spatial else [math.floor((i + offset) * spatial / rows) for i in range(rows)]


def layer_weight(name: str, block: int, blocks: int) -> float:
    """w_layer of Eq. 7 at depth x = block / (blocks - 1), 0 for a network of one block."""
    depth = block / (blocks - 1) if blocks > 1 else 0.0
    return {"deep strong": 0.5 - 0.5 * math.cos(math.pi * depth), "flat": 1.0}[name]


def step_weight(name: str, progress: float, noise: float) -> float:
    """w_step of Eq. 7, in the host's progress or in the noise level (p = 1 - noise)."""
    place = {"progress": progress, "noise level": 1 - noise, "flat": 0.0}[name]
    return 0.5 + 0.5 * math.cos(math.pi * place)


def gamma(measured: Measured, tau_eff: float, per_head: bool) -> Array:
    """Eq. 5: exp(tau_eff T), [B] from the mean tension over heads, or [B, H]."""
    t = measured.tension
    return np.exp(tau_eff * (t if per_head else t.mean(1)))


def output_gain(measured: Measured, tau_eff: float, per_head: bool) -> Array:
    """The authors' code: 1 + tau_eff (1 - mean diagonal of A) H_vN (1 - H_vN), [B, H], or [B] as its mean over heads."""
    cross_frame = 1 - each_matrix(lambda a: np.diag(a).mean(), measured.matrix)
    gain = 1 + tau_eff * cross_frame * measured.h_vn * (1 - measured.h_vn)
    return gain if per_head else gain.mean(1)
