"""Chunk consistency against naive float64 references and clips with known answers."""

import math

import clips
import numpy as np
import pytest
import torch

from pack.py.core.errors import TemporalAttentionError
from pack.py.measures import frames as measured_frames
from pack.py.measures.chunks import chunk_consistency, temporal_compression
from pack.py.measures.frames import checked, parts, same_shape
from pack.py.measures.similarity import consecutive_cosine, consecutive_ssim, embedding_consistency, ssim_map
from pack.py.views.consistency_report import consistency_report

CPU = torch.device("cpu")


def reflected(index, size):
    """The place that stands for one beyond the border: mirrored, the border itself not repeated."""
    index = abs(index)
    return 2 * (size - 1) - index if index >= size else index


def naive_ssim(one, other):
    """Mean over pixels and channels of SSIM with an 11 x 11 Gaussian window of sigma 1.5, for [H, W, C] in [0, 1]."""
    height, width, channels = one.shape
    weights = np.array([[math.exp(-(i * i + j * j) / (2 * 1.5**2)) for j in range(-5, 6)] for i in range(-5, 6)])
    weights /= weights.sum()
    values = []
    for y in range(height):
        for x in range(width):
            rows = [reflected(y + i, height) for i in range(-5, 6)]
            columns = [reflected(x + j, width) for j in range(-5, 6)]
            for c in range(channels):
                p, q = (np.asarray(image, np.float64)[np.ix_(rows, columns)][..., c] for image in (one, other))
                mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
                var_p, var_q = (weights * (p - mean_p) ** 2).sum(), (weights * (q - mean_q) ** 2).sum()
                covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
                top = (2 * mean_p * mean_q + 0.01**2) * (2 * covariance + 0.03**2)
                values.append(top / ((mean_p**2 + mean_q**2 + 0.01**2) * (var_p + var_q + 0.03**2)))
    return float(np.mean(values))


def naive_cosine(p, q):
    p, q = [float(v) for v in p], [float(v) for v in q]
    return sum(a * b for a, b in zip(p, q, strict=True)) / math.sqrt(sum(a * a for a in p) * sum(b * b for b in q))


def latent_frame(frame, compression):
    """Which latent frame a decoded frame comes from."""
    return 0 if frame == 0 else 1 + (frame - 1) // compression


def by_ssim(clip, compression=4):
    return chunk_consistency(consecutive_ssim(clip, CPU), compression)


def test_ssim_is_that_of_the_paper():
    clip = torch.rand(3, 17, 19, 3, generator=torch.Generator().manual_seed(0))
    clip[1] = 0.7 * clip[0] + 0.3 * clip[1]
    expected = [naive_ssim(clip[i].numpy(), clip[i + 1].numpy()) for i in range(2)]
    assert consecutive_ssim(clip, CPU).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_frames_without_a_change_are_fully_alike(value):
    flat = torch.full((2, 3, 16, 16), value)
    torch.testing.assert_close(ssim_map(flat, flat), torch.ones(2, 1, 16, 16), atol=1e-6, rtol=0)


def test_a_clip_in_parts_gives_the_same_and_every_part_is_watched(monkeypatch):
    clip = torch.rand(9, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    whole, seen = consecutive_ssim(clip, CPU), []
    monkeypatch.setattr(measured_frames, "PIXELS_A_PART", 3 * 16 * 16)
    torch.testing.assert_close(consecutive_ssim(clip, CPU, lambda items: seen.extend(items) or items), whole)
    assert seen == [slice(0, 3), slice(3, 6), slice(6, 8)]


def test_a_frame_larger_than_a_part_still_makes_one():
    assert parts(2, 10_000, 10_000) == [slice(0, 1), slice(1, 2)]


def test_cosines_of_embeddings():
    vectors = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = [naive_cosine(vectors[i], vectors[i + 1]) for i in range(4)]
    assert consecutive_cosine(vectors).tolist() == pytest.approx(expected, abs=1e-12)
    vbench = [(max(0.0, expected[i]) + max(0.0, naive_cosine(vectors[0], vectors[i + 1]))) / 2 for i in range(4)]
    assert embedding_consistency(vectors).tolist() == pytest.approx(vbench, abs=1e-12)


@pytest.mark.parametrize("compression", [2, 4, 6, 8])
@pytest.mark.parametrize("count", [3, 9, 33, 35])
def test_pairs_cross_where_the_latent_frame_changes(count, compression):
    similarity = torch.rand(count - 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = chunk_consistency(similarity, compression)
    changes = [latent_frame(i, compression) != latent_frame(i + 1, compression) for i in range(count - 1)]
    assert found.crosses.tolist() == changes
    cross = [float(s) for s, crosses in zip(similarity, changes, strict=True) if crosses]
    within = [float(s) for s, crosses in zip(similarity, changes, strict=True) if not crosses]
    assert found.cross.tolist() == cross and found.within.tolist() == within
    assert found.difference == pytest.approx(sum(cross) / len(cross) - sum(within) / len(within))
    dips = 0
    for i in range(count - 1):
        beside = [similarity[j] for j in (i - 1, i + 1) if 0 <= j < count - 1]
        dips += changes[i] and all(similarity[i] < other for other in beside)
    assert found.dips == dips


def test_a_still_clip_is_fully_alike():
    found = by_ssim(clips.still())
    assert found.similarity == pytest.approx(np.ones(8), abs=1e-6) and found.difference == pytest.approx(0, abs=1e-6)


def test_jumps_at_the_borders_are_found_at_the_borders():
    found = by_ssim(clips.jumping())
    assert found.within == pytest.approx(np.ones(9), abs=1e-6)
    assert found.cross.max() < 0.95 and found.dips == 3
    assert found.difference < -0.05


def test_jumps_elsewhere_are_not_laid_at_the_borders():
    found = by_ssim(clips.jumping(compression=4).roll(-2, 0)[:11], compression=4)
    assert found.difference > 0.01 and found.dips == 0


def test_uniform_motion_has_no_difference():
    found = by_ssim(clips.pan(1.0, frames=17))
    assert found.similarity.mean() < 0.98 and abs(found.difference) < 0.005


def test_flicker_lowers_every_pair_alike():
    found = by_ssim(clips.flickering(0.05))
    assert found.similarity.max() < 0.9999 and abs(found.difference) < 1e-4


def test_a_hard_cut_is_one_pair():
    similarity = by_ssim(clips.cut()).similarity
    assert similarity[4] < 0.5 and np.delete(similarity, 4) == pytest.approx(np.ones(8), abs=1e-6)


@pytest.mark.parametrize("count,latents,expected", [(33, 9, 4), (81, 21, 4), (13, 3, 6), (97, 13, 8), (3, 2, 2), (121, 16, 8)])
def test_the_compression_follows_from_both_lengths(count, latents, expected):
    assert temporal_compression(count, torch.zeros(1, 16, latents, 8, 8)) == expected


@pytest.mark.parametrize(
    "count,shape,said",
    [
        (32, (1, 16, 9, 8, 8), r"1 \+ 8 r frames from 9 latent frames, but got 32"),
        (5, (1, 16, 9, 8, 8), r"1 \+ 8 r frames"),
        (1, (1, 16, 9, 8, 8), r"1 \+ 8 r frames"),
        (9, (1, 16, 1, 8, 8), "at least 2 latent frames, but got 1"),
        (9, (1, 16, 9, 8, 8), "as many frames as latent frames, 9"),
        (33, (2, 16, 9, 8, 8), r"one video.*\[2, 16, 9, 8, 8\].*LatentFromBatch"),
        (14, (14, 4, 8, 8), r"one video.*\[14, 4, 8, 8\]"),
    ],
)
def test_a_latent_that_does_not_fit_says_why(count, shape, said):
    with pytest.raises(TemporalAttentionError, match=said):
        temporal_compression(count, torch.zeros(shape))


@pytest.mark.parametrize(
    "shape,said",
    [((1, 32, 32, 3), "at least 3 frames in before, but got 1"), ((2, 32, 32, 3), "got 2"), ((5, 8, 32, 3), "got 32 x 8")],
)
def test_clips_that_are_too_small_are_refused(shape, said):
    with pytest.raises(TemporalAttentionError, match=said):
        checked(torch.zeros(shape), "before")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_broken_clip_is_refused(bad):
    clip = clips.still(3)
    clip[1, 2, 3, 0] = bad
    with pytest.raises(TemporalAttentionError, match="NaN or infinity.*fp32"):
        checked(clip, "images")


def test_an_alpha_channel_is_left_out():
    assert torch.equal(checked(torch.cat([clips.still(), torch.rand(9, 48, 64, 1)], -1), "images"), clips.still())


@pytest.mark.parametrize(
    "shape,said",
    [((8, 48, 64, 3), "as many frames as before, 9, but got 8"), ((9, 48, 60, 3), "height x width.*48 x 64, but got 48 x 60")],
)
def test_clips_that_differ_in_shape_say_in_which(shape, said):
    with pytest.raises(TemporalAttentionError, match=said):
        same_shape(clips.still(), torch.zeros(shape))


def test_the_report_names_the_numbers():
    similarity = torch.tensor([0.9, 0.98, 0.97, 0.99, 0.95, 0.96, 0.99, 0.98])
    lines = consistency_report(chunk_consistency(similarity, 4), "DINOv2").splitlines()
    assert "9 frames, counted from 0; 3 latent frames, of 4 frames each but the first" in lines
    assert "across a border: pairs 2, mean 92.500, lowest 90.000" in lines
    assert "within a latent frame: pairs 6, mean 97.833, lowest 96.000" in lines
    assert "across minus within: -5.333 points" in lines
    assert "less alike than both neighbouring pairs: 2 of 2 borders (by chance about a third)" in lines
    assert lines[-1].startswith("least alike: frames 0-1 90.000 (across), 4-5 95.000 (across), 5-6 96.000 (within)")
