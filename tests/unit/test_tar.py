"""Temporal Attention Regularization on hand-made calls: what is added, to whom, and how observers see it."""

import gc
import math
import weakref
from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from events import STEP, attention, forward
from numpy.testing import assert_allclose
from reference import double

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Grid, Site
from pack.py.core.intervention import Window
from pack.py.core.latent_frames import LatentFrames
from pack.py.core.low_rank import with_biases
from pack.py.core.similarity import FrameSimilarity
from pack.py.maths import row_max
from pack.py.techniques.estimator import Estimator
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.sth import SpectralTransportHomeostasis
from pack.py.techniques.tar import SCALES, TemporalAttentionRegularization

TEMPORAL = Site(1, 3, "temporal")
LAYOUTS = {"video alone": (0, 0), "text first": (4, 0), "text last": (0, 3)}


def call_of(layout="video alone", site=None, frames=5, **settings):
    start, extra = LAYOUTS[layout]
    fwd = forward(frames=frames, start=start, extra=extra)
    return attention(site=site or Site(1, 3, "self" if layout == "video alone" else "joint"), fwd=replace(fwd, **settings))


def added(call, tar):
    """[B, H, L, L] float64: what TAR adds to the scores."""
    (bias,) = tar.before(call).low_rank
    product = double(bias.queries) @ double(bias.keys).swapaxes(-1, -2)
    return np.broadcast_to(product, (*call.q.shape[:3], call.k.shape[2]))


def eq_2(frames, sigma):
    """The Gaussian between frames, one entry at a time."""
    return np.array([[math.exp(-(((j - i) / sigma) ** 2) / 2) for j in range(frames)] for i in range(frames)])


def scores_over_frames(call):
    """[B, H, S, F, F] float64 scores of a temporal layer."""
    q, k = (double(call.forward.grid.by_frame(x)) for x in (call.q, call.k))
    return np.einsum("bhfsd,bhgsd->bhsfg", q, k) * call.scale


def in_place(call, bias):
    """[B, H, L, L] -> what position s of frame i adds to itself in frame j: [B, H, S, F, F]."""
    grid = call.forward.grid
    whole = bias.reshape(*bias.shape[:2], grid.frames, grid.spatial, grid.frames, grid.spatial)
    return np.einsum("bhisjs->bhsij", whole)


# Temporal layers: the paper


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("strength", (1.0, 0.4, -0.7))
def test_temporal_layers_get_equation_3(scale, strength):
    call = call_of(site=TEMPORAL)
    scores = scores_over_frames(call)
    row, mean = scores.max(-1, keepdims=True), scores.mean(-1, keepdims=True)
    height = {
        "row max": np.maximum(row, 0),
        "row max, signed": row,
        "map max": np.maximum(scores.max((-2, -1), keepdims=True), 0),
        "row max - row mean": row - mean,
    }[scale]
    wanted = scores + strength * height * eq_2(5, 1.3)
    tar = TemporalAttentionRegularization(strength=strength, sigma=1.3, sigma_unit="latent frames", scale=scale)
    ours = scores + in_place(call, added(call, tar))
    for pattern, ideal in zip(ours.reshape(-1, 5), wanted.reshape(-1, 5), strict=True):
        assert np.abs(reference.softmax(pattern) - reference.softmax(ideal)).max() < 1e-5
    if scale == "row max, signed":
        assert (row < 0).any(), "else the case says nothing about the sign"


def test_sigma_is_a_share_of_the_frames_or_counts_frames():
    of_frames = TemporalAttentionRegularization(sigma=2.5, sigma_unit="latent frames")
    share = TemporalAttentionRegularization(sigma=0.5)
    assert np.array_equal(of_frames.matrix(5), share.matrix(5)) and not np.array_equal(of_frames.matrix(9), share.matrix(9))
    assert_allclose(share.matrix(5), eq_2(5, 2.5))


# Attention over the whole video: our extension


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scale", SCALES)
def test_every_key_of_a_frame_gets_its_frames_share_and_text_gets_nothing(layout, scale):
    call = call_of(layout)
    grid = call.forward.grid
    scores = row_max.over_video(grid.by_frame(call.q), grid.by_frame(call.k), call.scale)
    largest = double(scores.largest)
    height = {
        "row max": np.maximum(largest, 0),
        "row max, signed": largest,
        "map max": np.maximum(np.broadcast_to(largest.max((2, 3), keepdims=True), largest.shape), 0),
        "row max - row mean": largest - double(scores.mean),
    }[scale]
    band = eq_2(5, 2.5)
    band = band - band.mean(1, keepdims=True)
    wanted = np.zeros((2, 2, grid.tokens, grid.tokens))
    for i, s, j, t in np.ndindex(5, 4, 5, 4):
        wanted[:, :, grid.start + i * 4 + s, grid.start + j * 4 + t] = 0.6 * height[:, :, i, s] * band[i, j]
    assert np.abs(added(call, TemporalAttentionRegularization(strength=0.6, sigma=0.5, scale=scale)) - wanted).max() < 1e-5


def test_beside_text_the_video_keeps_its_share_where_the_band_is_flat():
    """Only differences between frames act: a band without any leaves text and video as they were."""
    tar = TemporalAttentionRegularization(strength=5.0, sigma=1e9)
    assert np.abs(added(call_of("text first"), tar)).max() < 1e-6


@pytest.mark.parametrize("site", (TEMPORAL, None), ids=("temporal", "video"))
def test_an_endless_sigma_changes_nothing(site):
    assert not added(call_of(site=site), TemporalAttentionRegularization(strength=1.0, sigma=math.inf)).any()


# Context windows, reference videos, levels


@pytest.mark.parametrize("window", [(0, 6, 7, 8, 9), (8, 9, 0, 1, 2)])
def test_in_a_context_window_the_real_distances_count(window):
    call = call_of(site=TEMPORAL, frames=5)
    windowed = replace(call.forward, latents=LatentFrames.of(window, whole=10))
    tar = TemporalAttentionRegularization(strength=1.0, sigma=2.0, sigma_unit="latent frames")
    assert_allclose(tar.matrix(5, window), eq_2(10, 2.0)[np.ix_(window, window)])
    inside, whole = (added(call.edit(forward=f), tar) for f in (windowed, call.forward))
    assert not np.allclose(inside, whole)


def test_a_reference_video_takes_the_place_of_the_band_and_windows_see_their_part(caplog):
    matrix = torch.tensor([[1.0, 0.7, 0.2, 0.0], [0.7, 1.0, 0.5, 0.1], [0.2, 0.5, 1.0, 0.9], [0.0, 0.1, 0.9, 1.0]])
    tar = TemporalAttentionRegularization(strength=1.0, similarity=FrameSimilarity(matrix, "by hand"))
    assert_allclose(tar.matrix(4), double(matrix))
    assert tar.matrix(7).shape == (7, 7) and float(tar.matrix(7)[0, 6]) == pytest.approx(float(matrix[0, 3]))
    assert np.array_equal(tar.matrix(2, (3, 5), whole=7), tar.matrix(7)[[3, 5]][:, [3, 5]])


def test_that_a_reference_video_is_resampled_is_said_once_a_run(caplog):
    tar = TemporalAttentionRegularization(strength=1.0, similarity=FrameSimilarity(torch.eye(4), "by hand"))
    windows = [LatentFrames.of(range(first, first + 5), whole=7) for first in range(3)]
    with caplog.at_level("INFO", "temporal_attention"):
        for _ in range(2):
            call = call_of(frames=5)
            for latents in (*windows, *windows):
                tar.before(call.edit(forward=replace(call.forward, latents=latents)))
    assert [r.getMessage() for r in caplog.records] == 2 * ["Temporal Attention: 4 frames of similarity are resampled to 7."]


def test_what_is_made_for_a_run_ends_with_it():
    tar, call = TemporalAttentionRegularization(strength=1.0), call_of()
    tar.before(call)
    (made,) = call.forward.memory.values()
    assert made[0] is tar._factors(call.forward, call.q.device)[0], "once a run"
    kept = weakref.ref(made[0])
    del made, call
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize("levels,acts", [(None, True), ({1}, False), ({4}, True), ({1, 4}, True)])
def test_levels_of_a_unet(levels, acts):
    call = call_of(site=TEMPORAL)
    call = call.edit(forward=replace(call.forward, grid=replace(call.forward.grid, level=4)))
    tar = TemporalAttentionRegularization(levels=None if levels is None else frozenset(levels))
    assert (tar.before(call) is not call) is acts


# What others see


@pytest.mark.parametrize("name", ("same_position", "exact"))
def test_estimators_measure_the_biased_attention(name):
    call = TemporalAttentionRegularization(strength=2.0, sigma=0.2).before(call_of("text last"))
    video = call.forward.grid.video
    q, k = with_biases(call)
    q, k = (double(call.forward.grid.by_frame(x)) for x in (q, k))
    wanted = reference.ESTIMATORS[name](q, k, call.scale)
    found = Estimator(name, rows=4).measure(call)
    assert np.abs(double(found.matrix) - wanted.matrix).max() < 1e-5
    scores = double(call.q)[..., video, :] @ double(call.k)[..., video, :].swapaxes(-1, -2) * call.scale
    scores = scores + added(call.edit(low_rank=()), TemporalAttentionRegularization(strength=2.0, sigma=0.2))[..., video, video]
    assert np.abs(q.reshape(2, 2, 20, -1) @ k.reshape(2, 2, 20, -1).swapaxes(-1, -2) * call.scale - scores).max() < 1e-5


@pytest.mark.parametrize("name", ("same_position", "pooled", "exact"))
def test_a_trace_shows_the_band(name):
    call = call_of()
    edited = TemporalAttentionRegularization(strength=3.0, sigma=0.2).before(call)
    notes = {note.name: note.value for note in FrameAttentionRecorder(estimator=Estimator(name, 4)).seen(call, edited)}
    before, after = notes["frames"], notes["after.frames"]
    assert (after.diagonal(dim1=-2, dim2=-1).mean() - before.diagonal(dim1=-2, dim2=-1).mean()) > 0.05
    assert after[:, 0, 4].mean() < before[:, 0, 4].mean()


def test_two_bands_add_up_and_neither_scales_by_the_other():
    call = call_of("text first")
    first, second = (TemporalAttentionRegularization(strength=s, sigma=g) for s, g in ((0.5, 0.5), (-0.3, 0.2)))
    both = second.before(first.before(call))
    total = sum(double(b.queries) @ double(b.keys).swapaxes(-1, -2) for b in both.low_rank)
    assert np.abs(total - (added(call, first) + added(call, second))).max() < 1e-6


def test_after_sth_the_band_follows_the_changed_scores_and_before_it_stays_as_it_is():
    sth = SpectralTransportHomeostasis(tau=2.0, layer_weight="flat", step_weight="flat")
    tar = TemporalAttentionRegularization(strength=1.0)
    call = call_of()
    late, early = tar.before(sth.before(call)), sth.before(tar.before(call))
    assert late.q is not call.q and early.q is not call.q
    assert not torch.allclose(late.low_rank[0].queries, early.low_rank[0].queries)
    assert torch.equal(early.low_rank[0].queries, tar.before(call).low_rank[0].queries)


# Settings


def test_defaults_are_those_of_a_dit_and_act_early():
    tar = TemporalAttentionRegularization()
    assert (tar.strength, tar.sigma, tar.sigma_unit, tar.window) == (0.1, 0.5, "share of frames", Window(0.0, 0.56))
    assert tar.window.contains(replace(STEP, progress=0.56)) and not tar.window.contains(replace(STEP, progress=0.6))


def test_nothing_at_strength_0():
    assert not TemporalAttentionRegularization.neutral().acts() and TemporalAttentionRegularization(strength=-0.1).acts()


@pytest.mark.parametrize(
    "settings,said",
    [
        ({"sigma": 0.0}, "sigma above 0"),
        ({"sigma": -1.0}, "sigma above 0"),
        ({"sigma": float("nan")}, "sigma above 0"),
        ({"strength": float("inf")}, "finite number for strength"),
        ({"scale": "column max"}, "a scale out of"),
        ({"sigma_unit": "seconds"}, "a sigma_unit out of"),
    ],
)
def test_bad_settings_are_refused(settings, said):
    with pytest.raises(TemporalAttentionError, match=said):
        TemporalAttentionRegularization(**settings)


def test_inputs_are_not_written_and_the_height_is_noted():
    call = call_of("text first")
    copies = [x.clone() for x in (call.q, call.k, call.v)]
    TemporalAttentionRegularization().before(call)
    assert all(torch.equal(a, b) for a, b in zip(copies, (call.q, call.k, call.v), strict=True))
    (note,) = call.notes
    assert note.name == "band_height" and note.value.shape == (2,) and (note.value > 0).all()


def test_the_grid_places_the_video_among_other_tokens():
    grid = Grid(2, 1, 3, tokens=11, start=4)
    x = torch.randn(1, 2, 2, 3, 5)
    placed = grid.among_tokens(x)
    assert torch.equal(grid.by_frame(placed), x) and placed.shape[2] == 11
    assert not placed[:, :, :4].any() and not placed[:, :, 10:].any()
