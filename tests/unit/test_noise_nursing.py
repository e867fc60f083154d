"""Correlated noise and its search, against numpy in float64 and finite differences; no network."""

import logging

import numpy as np
import pytest
import scipy.stats
import torch
from drawings import check_readable, keep_figures
from events import forward

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, CallNotes, Note, Site, Step
from pack.py.core.latent_frames import LatentFrames
from pack.py.core.noise import NoiseDistribution, NursingIteration
from pack.py.core.trace import Trace, to_records
from pack.py.maths.frame_covariance import correlated, covariance, divergence, least_beta
from pack.py.techniques.frame_attention_match import AttentionDistance
from pack.py.techniques.noise_nursing import NoiseNursing
from pack.py.techniques.record import BY_HEAD
from pack.py.views import nursing_chart

SHAPE = (2, 3, 5, 2, 4)


def white(seed=0, shape=SHAPE, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def dense(beta, gamma, frames):
    """Eq. 5, entry by entry."""
    return np.array([[beta if i == j else gamma ** abs(i - j) for j in range(frames)] for i in range(frames)])


def pairs(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("frames", [2, 5, 33, 129])
def test_covariance_and_divergence_equal_the_dense_ones(frames):
    beta, gamma = pairs(1.0, 1.1, 2.5, 0.9), pairs(0.0, 0.4, -0.8, -0.05)
    sigma = covariance(beta, gamma, frames)
    expected = np.stack([dense(b, g, frames) for b, g in zip(beta.tolist(), gamma.tolist(), strict=True)])
    np.testing.assert_allclose(sigma.numpy(), expected, rtol=1e-12)
    mean = white(shape=(4, 3, frames, 2, 2), dtype=torch.float64)
    found = divergence(mean, sigma)
    for video in range(4):
        each = []  # cross-entropy less entropy
        for position in mean[video].movedim(1, -1).reshape(-1, frames).numpy():
            entropy = scipy.stats.multivariate_normal(position, expected[video]).entropy()
            second_moment = np.trace(expected[video]) + position @ position
            each.append(0.5 * (frames * np.log(2 * np.pi) + second_moment) - entropy)
        assert float(found[video]) == pytest.approx(np.mean(each), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 0.3, -0.3, 0.95, -0.95])
def test_the_least_beta_is_where_the_smallest_eigenvalue_vanishes(gamma):
    least = least_beta(pairs(gamma), 9)
    values = np.linalg.eigvalsh(dense(float(least), gamma, 9))
    assert abs(values[0]) < 1e-9 and np.linalg.eigvalsh(dense(float(least) + 0.02, gamma, 9))[0] > 0.019


def test_correlated_noise_has_that_mean_and_covariance():
    noise, sigma = white(shape=(1, 8, 4, 64, 64)), covariance(pairs(1.3), pairs(0.5), 4)
    mean = torch.zeros(1, 8, 4, 64, 64)
    mean[:, :, 2] = 0.7
    samples = correlated(noise, mean, sigma)[0].movedim(1, -1).reshape(-1, 4).numpy()
    np.testing.assert_allclose(samples.mean(0), [0, 0, 0.7, 0], atol=0.03)
    np.testing.assert_allclose(np.cov(samples.T), sigma[0].numpy(), atol=0.04)
    one = correlated(white(), torch.zeros(SHAPE), covariance(pairs(1.3, 1.0), pairs(0.5, 0.0), 5))
    np.testing.assert_allclose(
        one[0, 1, :, 1, 2].numpy(), np.linalg.cholesky(dense(1.3, 0.5, 5)) @ white()[0, 1, :, 1, 2].numpy(), rtol=1e-5
    )
    assert torch.equal(one[1], white()[1]), "beta 1, gamma 0 is the noise itself"


def test_white_gives_back_the_very_tensor_and_other_shapes_are_refused():
    found, noise = NoiseDistribution.white(white()), white(dtype=torch.float16)
    assert found.is_white and found.of(noise) is noise
    moved = NoiseDistribution(found.mean, found.beta, pairs(0.2, 0.0))
    assert moved.of(noise).dtype == torch.float16 and not moved.is_white
    with pytest.raises(TemporalAttentionError, match="Connect the same latent"):
        found.of(white(shape=(2, 3, 6, 2, 4)))


# The search


def quadratic(wanted):
    """Half the squared distance of the noise from a wanted one, for each video."""

    def evaluate(noise):
        return (noise - wanted).double().square().flatten(1).sum(1) / 2, noise - wanted

    return evaluate


def test_gradients_equal_finite_differences():
    """Of distance + lambda KL, written out densely."""
    noise, wanted, weight, frames = white(1, dtype=torch.float64), white(2, dtype=torch.float64), 0.7, SHAPE[2]

    def loss(beta, gamma, mean):
        """Of the first video."""
        sigma = dense(beta, gamma, frames)
        z = np.einsum("ij,cjhw->cihw", np.linalg.cholesky(sigma), noise[0].numpy()) + mean
        size = np.square(mean).sum(1).mean()
        apart = (np.trace(sigma) + size - frames - np.linalg.slogdet(sigma)[1]) / 2
        return np.square(z - wanted[0].numpy()).sum() / 2 + weight * apart

    h, zero = 1e-5, np.zeros(SHAPE[1:])
    bump = zero.copy()
    bump[1, 2, 0, 3] = h
    expected = [
        (loss(1 + h, 0, zero) - loss(1 - h, 0, zero)) / (2 * h),
        (loss(1, h, zero) - loss(1, -h, zero)) / (2 * h),
        (loss(1, 0, bump) - loss(1, 0, -bump)) / (2 * h),
    ]
    from pack.py.techniques.noise_nursing import _Search

    search = _Search(NoiseNursing(kl_weight=weight), noise)
    assert search.evaluate(quadratic(wanted))
    found = [search.beta.grad[0], search.gamma.grad[0], search.mean.grad[0, 1, 2, 0, 3]]
    np.testing.assert_allclose(np.array(found, dtype=float), expected, rtol=1e-5)


@pytest.mark.parametrize("mean", [True, False])
def test_planted_correlation_is_found(mean):
    """Noise that should be what Sigma(1.4, 0.5) makes of it."""
    noise = white(3, (2, 4, 6, 8, 8))
    wanted = correlated(noise, torch.zeros_like(noise), covariance(pairs(1.4, 1.4), pairs(0.5, 0.5), 6))
    settings = NoiseNursing(iterations=150, lr=0.02, kl_weight=0.0, mean=mean)
    found, history = settings.optimise(noise, quadratic(wanted))
    totals = [sum(one.distance) for one in history]
    assert len(history) == 151 and totals[-1] < 0.01 * totals[0]
    if not mean:
        np.testing.assert_allclose(found.beta.numpy(), 1.4, atol=0.02)
        np.testing.assert_allclose(found.gamma.numpy(), 0.5, atol=0.02)
        assert not found.mean.any()


def test_the_weight_holds_the_noise_near_white():
    noise, wanted = white(4), white(5)
    apart = [NoiseNursing(iterations=30, kl_weight=weight).optimise(noise, quadratic(wanted))[0] for weight in (0.0, 1e4)]
    sizes = [float(divergence(found.mean.double(), found.sigma()).sum()) for found in apart]
    assert sizes[1] < 0.05 * sizes[0]


def test_each_video_is_found_by_itself_and_never_worse_than_white():
    noise, wanted = white(6), white(7)
    together, _ = NoiseNursing(iterations=8).optimise(noise, quadratic(wanted))
    alone, _ = NoiseNursing(iterations=8).optimise(noise[1:], quadratic(wanted[1:]))
    torch.testing.assert_close(together.mean[1:], alone.mean)
    torch.testing.assert_close(together.gamma[1:], alone.gamma)
    right, _ = NoiseNursing(iterations=8, lr=0.5).optimise(noise, quadratic(noise))
    assert right.is_white, "the plain noise was best"
    before = noise.clone()
    assert torch.equal(noise, before) and together.mean.dtype == torch.float32


def test_the_covariance_stays_positive_definite():
    noise = white(8)
    still = noise[:, :, :1].expand_as(noise) * 3  # wants all frames alike
    found, history = NoiseNursing(iterations=60, lr=0.3, kl_weight=0.0, mean=False).optimise(noise, quadratic(still))
    for one in history:
        for beta, gamma in zip(one.beta, one.gamma, strict=True):
            assert np.linalg.eigvalsh(dense(beta, gamma, 5))[0] > 0.01
    assert torch.isfinite(found.of(noise)).all()


def test_a_gradient_that_is_not_finite_ends_the_search(caplog):
    calls = []

    def evaluate(noise):
        calls.append(noise)
        distance, gradient = quadratic(white(9))(noise)
        return distance, gradient * (torch.nan if len(calls) == 4 else 1)

    with caplog.at_level(logging.WARNING, "temporal_attention"):
        found, history = NoiseNursing(iterations=9).optimise(white(), evaluate)
    assert len(history) == 3 and len(calls) == 4 and torch.isfinite(found.mean).all() and "best noise so far" in caplog.text


def test_settings():
    assert not NoiseNursing(iterations=0).acts() and not NoiseNursing(lr=0.0).acts() and NoiseNursing().acts()
    for wrong in ({"iterations": -1}, {"lr": float("nan")}, {"kl_weight": -0.1}):
        with pytest.raises(TemporalAttentionError):
            NoiseNursing(**wrong)


# The distance


STEP = Step(0, 1, 0.9, 0.2, 0.9)


def calls_of(matrices, frames=None):
    """A network call whose attentions have these matrices [rows, H, F, F]; its frames are these of six, or all."""
    rows = tuple(range(len(matrices[0])))
    fwd = forward((Branch.COND,) * len(rows), frames=matrices[0].shape[-1])
    latents = None if frames is None else LatentFrames.of(frames, whole=6)
    fwd = fwd.__class__(STEP, fwd.grid, fwd.branches, rows, latents)
    return [CallNotes(Site(i, len(matrices), "self"), fwd, [Note(BY_HEAD, rows, m)]) for i, m in enumerate(matrices)]


def reference(*windows):
    calls = [call for matrices, frames in windows for call in calls_of(matrices, frames)]
    return Trace("tiny", 3, to_records(calls))


def patterns(seed, rows=1, blocks=3, frames=4):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, 2, frames, frames, generator=generator).softmax(-1) for _ in range(blocks)]


def test_the_distance_is_the_mean_frobenius_norm():
    wanted, given = patterns(0), patterns(1, rows=3)
    distance = AttentionDistance(reference((wanted, None)), 3)
    total = distance.loss(calls_of(given))
    expected = [
        np.mean(
            [
                np.sqrt(((g[row, head] - w[0, head]).numpy() ** 2).sum())
                for g, w in zip(given, wanted, strict=True)
                for head in (0, 1)
            ]
        )
        for row in range(3)
    ]
    np.testing.assert_allclose(distance.values.numpy(), expected, rtol=1e-5)
    assert float(total) == pytest.approx(sum(expected), rel=1e-5)
    assert float(AttentionDistance(reference((wanted, None)), 1).loss(calls_of(wanted))) == 0


def test_context_windows_meet_their_own_reference():
    first, second = patterns(0), patterns(1)
    distance = AttentionDistance(reference((first, (0, 1, 2, 3)), (second, (2, 3, 4, 5))), 1)
    distance.loss(calls_of(second, (2, 3, 4, 5)))
    assert float(distance.values[0]) == 0
    distance.loss(calls_of(second, (0, 1, 2, 3)))
    alone = AttentionDistance(reference((first, None)), 1)
    assert float(distance.values[0]) == pytest.approx(float(alone.loss(calls_of(second))) / 2, rel=1e-6)


def test_another_number_of_attentions_is_refused():
    distance = AttentionDistance(reference((patterns(0), None)), 1)
    for given in (calls_of(patterns(0, blocks=2)), calls_of(patterns(0, frames=5)), calls_of(patterns(0), (0, 1, 2, 3))):
        with pytest.raises(TemporalAttentionError, match="as many frames as your video"):
            distance.loss(given)


# The picture


@pytest.mark.parametrize("videos", [1, 16])
@pytest.mark.parametrize("iterations", [0, 1, 20])
def test_the_chart_is_readable(monkeypatch, videos, iterations):
    kept = keep_figures(monkeypatch, nursing_chart)
    random = np.random.default_rng(0)
    history = [
        NursingIteration(*(tuple(row) for row in random.random((4, videos)) * [[0.01], [3], [1], [0.1]]))
        for _ in range(iterations)
    ]
    image = nursing_chart.nursing_chart(NoiseDistribution.white(torch.zeros(videos, 1, 21, 1, 1)), history)
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
    check_readable(kept[0])
