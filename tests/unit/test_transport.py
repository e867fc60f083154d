"""What frame attention transports, against naive loops and known matrices."""

import numpy as np
import pytest

from pack.py.maths import transport

IDENTITY, UNIFORM = np.eye(5), np.full((5, 5), 0.2)
SINK = np.tile([1.0, 0, 0, 0, 0], (5, 1))


def patterns(shape, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(shape[-1], 0.7), size=shape[:-1])


def naive_gini(row):
    """Mean absolute difference of all pairs over twice the mean, scaled so that a single mass has 1."""
    n = len(row)
    pairs = [abs(a - b) for a in row for b in row]
    return sum(pairs) / (2 * n * n * np.mean(row)) * n / (n - 1)


@pytest.mark.parametrize("shape", [(2, 2), (3, 5, 5), (2, 3, 21, 21)])
def test_all_equal_naive_loops(shape):
    a = patterns(shape)
    frames = shape[-1]
    for index in np.ndindex(shape[:-2]):
        one = a[index]
        assert transport.self_retention(a)[index] == pytest.approx(np.mean([one[i, i] for i in range(frames)]))
        assert transport.gini(a)[index] == pytest.approx(np.mean([naive_gini(row) for row in one]))
        later = [sum(one[i, j] for j in range(i + 1, frames)) - sum(one[i, j] for j in range(i)) for i in range(frames)]
        assert transport.future_past_balance(a)[index] == pytest.approx(np.mean(later))
        singular = np.sqrt(np.maximum(np.linalg.eigvalsh(one @ one.T), 0))
        shares = singular / singular.sum()
        entropy = -sum(s * np.log(s) for s in shares if s > 1e-12)
        assert transport.effective_rank(a)[index] == pytest.approx(np.exp(entropy), rel=1e-5)


@pytest.mark.parametrize(
    "a,stays,gini,rank,balance", [(IDENTITY, 1, 1, 5, 0), (UNIFORM, 0.2, 0, 1, 0), (SINK, 0.2, 1, 1, -0.8)], ids=str
)
def test_known_matrices(a, stays, gini, rank, balance):
    assert transport.self_retention(a) == pytest.approx(stays)
    assert transport.gini(a) == pytest.approx(gini, abs=1e-12)
    assert transport.effective_rank(a) == pytest.approx(rank)
    assert transport.future_past_balance(a) == pytest.approx(balance)


def test_balance_turns_with_time():
    a = patterns((4, 7, 7))
    np.testing.assert_allclose(transport.future_past_balance(a[:, ::-1, ::-1]), -transport.future_past_balance(a))


def test_spectral_entropy_equals_that_of_numpys_eigenvalues():
    a = patterns((6, 9, 9))
    rho = a @ a.swapaxes(-1, -2)
    values = np.linalg.eigvalsh(rho / np.trace(rho, axis1=-2, axis2=-1)[:, None, None])
    expected = [-sum(v * np.log(v) for v in spectrum if v > 0) / np.log(9) for spectrum in values]
    np.testing.assert_allclose(transport.spectral_entropy(np.maximum(values, 0)), expected)
