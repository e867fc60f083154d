"""Row entropy, density, von Neumann entropy and Spectral Tension against float64 eigenvalues and known answers."""

import math

import numpy as np
import pytest
import reference
import torch
from reference import double, each_matrix
from torch.testing import assert_close

from pack.py.maths import entropy
from pack.py.maths.entropy import density, row_entropy, tension, von_neumann_entropy

FRAMES = (2, 3, 4, 5, 7, 9, 13, 16, 21, 33, 64, 81, 129)
LEADS = ((), (4,), (2, 3), (2, 1, 3))
TOLERANCE = 1e-5


def random(frames, lead=(), sharpness=1.0, seed=0):
    generator = torch.Generator().manual_seed(1000 * frames + seed)
    return torch.softmax(sharpness * torch.randn(*lead, frames, frames, generator=generator), -1)


def identity(frames, lead=()):
    return torch.eye(frames).expand(*lead, frames, frames).clone()


def uniform(frames, lead=()):
    return torch.full((*lead, frames, frames), 1 / frames)


def rank_one(frames, lead=()):
    return random(frames, lead)[..., :1, :].expand(*lead, frames, frames).clone()


def sink(frames, lead=()):
    pattern = torch.zeros(*lead, frames, frames)
    pattern[..., frames // 2] = 1
    return pattern


def banded(frames, lead=()):
    place = torch.arange(frames, dtype=torch.float32)
    return torch.softmax(-((place[:, None] - place) ** 2) / 2, -1).expand(*lead, frames, frames).clone()


def hard_band(frames, lead=()):
    place = torch.arange(frames)
    near = ((place[:, None] - place).abs() <= 1).float()
    return (near / near.sum(-1, keepdim=True)).expand(*lead, frames, frames).clone()


def causal(frames, lead=()):
    mask = torch.full((frames, frames), -torch.inf).triu(1)
    generator = torch.Generator().manual_seed(frames)
    return torch.softmax(torch.randn(*lead, frames, frames, generator=generator) + mask, -1)


def blocks(frames, lead=()):
    half = torch.arange(frames) < (frames + 1) // 2
    same = (half[:, None] == half).float()
    return (same / same.sum(-1, keepdim=True)).expand(*lead, frames, frames).clone()


PATTERNS = {
    "random": random,
    "flat": lambda f, lead=(): random(f, lead, 0.05),
    "sharp": lambda f, lead=(): random(f, lead, 10.0),
    "very sharp": lambda f, lead=(): random(f, lead, 100.0),
    "identity": identity,
    "near identity": lambda f, lead=(): 0.99 * identity(f, lead) + 0.01 * random(f, lead),
    "uniform": uniform,
    "near uniform": lambda f, lead=(): 0.99 * uniform(f, lead) + 0.01 * random(f, lead),
    "rank 1": rank_one,
    "sink": sink,
    "banded": banded,
    "hard band": hard_band,
    "causal": causal,
    "two blocks": blocks,
}


def close(got, wanted, tolerance=TOLERANCE):
    assert tuple(got.shape) == np.shape(wanted)
    assert np.abs(double(got) - wanted).max() <= tolerance


def tension_of(pattern):
    return tension(row_entropy(pattern), von_neumann_entropy(density(pattern)))


@pytest.mark.parametrize("frames", FRAMES)
def test_identity_has_tension_minus_one_and_uniform_plus_one(frames):
    assert tension_of(identity(frames)).item() == pytest.approx(-1, abs=TOLERANCE)
    assert tension_of(uniform(frames)).item() == pytest.approx(1, abs=TOLERANCE)


@pytest.mark.parametrize("frames", FRAMES)
def test_extreme_entropies(frames):
    for pattern, h_row, h_vn in ((identity, 0, 1), (uniform, 1, 0), (sink, 0, 0)):
        assert row_entropy(pattern(frames)).item() == pytest.approx(h_row, abs=TOLERANCE)
        assert von_neumann_entropy(density(pattern(frames))).item() == pytest.approx(h_vn, abs=TOLERANCE)


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("frames", (2, 3, 5, 9, 16, 21, 64, 129))
def test_all_measures_equal_the_float64_reference(frames, name):
    pattern = PATTERNS[name](frames)
    a = double(pattern)
    close(row_entropy(pattern), reference.row_entropy(a))
    close(density(pattern), reference.density(a))
    close(von_neumann_entropy(density(pattern)), reference.von_neumann_entropy(reference.density(a)))
    close(tension_of(pattern), reference.tension(a), 2 * TOLERANCE)


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("frames", (2, 5, 21))
def test_leading_dimensions_are_kept_apart(frames, lead):
    pattern = random(frames, lead, 2.0, seed=5)
    a = double(pattern)
    close(row_entropy(pattern), each_matrix(reference.row_entropy, a))
    close(density(pattern), each_matrix(reference.density, a))
    rho = density(pattern)
    close(von_neumann_entropy(rho), each_matrix(reference.von_neumann_entropy, double(rho)))
    close(tension_of(pattern), each_matrix(reference.tension, a), 2 * TOLERANCE)


@pytest.mark.parametrize("frames", (2, 9, 33, 129))
@pytest.mark.parametrize("rank", (1, 2, 5))
def test_mixtures_of_any_rank(frames, rank):
    """Averages of densities, as over positions: any symmetric matrix of trace 1 that is not negative."""
    vectors = torch.randn(frames, min(rank, frames), generator=torch.Generator().manual_seed(rank), dtype=torch.float64)
    gram = vectors @ vectors.T
    rho = (gram / gram.trace()).float()
    close(von_neumann_entropy(rho), reference.von_neumann_entropy(double(rho)))


@pytest.mark.parametrize("smallest", (1e-2, 1e-4, 1e-6, 1e-8))
def test_eigenvalues_of_all_sizes(smallest):
    values = np.geomspace(smallest, 1, 21)
    values /= values.sum()
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(21, 21)))[0]
    rho = basis @ np.diag(values) @ basis.T
    wanted = -(values * np.log(values)).sum() / math.log(21)
    close(von_neumann_entropy(torch.from_numpy(rho).float()), wanted)


@pytest.mark.parametrize("p", (0.5, 0.6, 0.75, 0.9, 0.99, 0.9999, 1.0))
def test_two_eigenvalues_give_the_binary_entropy(p):
    wanted = 0.0 if p == 1 else -(p * math.log2(p) + (1 - p) * math.log2(1 - p))
    close(von_neumann_entropy(torch.diag(torch.tensor([p, 1 - p]))), wanted)


def test_density_is_of_the_rows_not_of_the_columns():
    """A A^T and A^T A share their eigenvalues but not their averages over positions."""
    pattern = random(6, sharpness=3.0)
    a = double(pattern)
    other = a.T @ a / np.trace(a.T @ a)
    assert np.abs(reference.density(a) - other).max() > 0.05
    close(density(pattern), reference.density(a))


def test_row_entropy_by_hand():
    pattern = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    close(row_entropy(pattern), 2 * math.log(2) / 3 / math.log(3))


@pytest.mark.parametrize("name", ("random", "sharp", "rank 1", "near identity"))
def test_reordering_frames_changes_nothing(name):
    pattern = PATTERNS[name](11)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(0))
    assert_close(tension_of(pattern[order][:, order]), tension_of(pattern), atol=TOLERANCE, rtol=0)


def test_results_are_float32():
    pattern = random(5, (2, 3))
    for value in (row_entropy(pattern), density(pattern), von_neumann_entropy(density(pattern)), tension_of(pattern)):
        assert value.dtype == torch.float32


def test_entropies_stay_in_the_unit_interval():
    for name in PATTERNS:
        for frames in (2, 21):
            pattern = PATTERNS[name](frames, (3,))
            for value in (row_entropy(pattern), von_neumann_entropy(density(pattern))):
                assert value.min() >= -TOLERANCE and value.max() <= 1 + TOLERANCE


@pytest.mark.parametrize("most", (1, 100, 5000))
def test_batch_chunking_does_not_matter(monkeypatch, most):
    rho = density(random(9, (5, 7), 2.0))
    whole = von_neumann_entropy(rho)
    monkeypatch.setattr(entropy, "MOST_ELEMENTS", most)
    assert_close(von_neumann_entropy(rho), whole, atol=1e-6, rtol=0)


def test_a_sample_does_not_depend_on_its_neighbours():
    pattern = torch.stack([PATTERNS[name](9) for name in PATTERNS])
    for i in range(len(pattern)):
        assert_close(tension_of(pattern)[i], tension_of(pattern[i]), atol=1e-6, rtol=0)


def test_views_are_read_rightly():
    pattern = random(7, (4, 3), 2.0)
    strided = pattern.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)
    assert not strided.is_contiguous()
    assert_close(density(strided), density(pattern), atol=1e-6, rtol=0)
    assert_close(tension_of(strided), tension_of(pattern), atol=1e-6, rtol=0)


def test_inputs_are_not_written():
    pattern = random(7, (4,))
    rho = density(pattern)
    kept = pattern.clone(), rho.clone()
    row_entropy(pattern), density(pattern), von_neumann_entropy(rho), tension_of(pattern)
    assert torch.equal(pattern, kept[0]) and torch.equal(rho, kept[1])
