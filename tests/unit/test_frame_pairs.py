"""Similarity of any two frames against naive float64 references, and its matrices against intervals."""

from itertools import combinations

import clips
import numpy as np
import pytest
import torch
from test_consistency import naive_cosine, naive_ssim

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.similarity import FrameSimilarity
from pack.py.measures import frames as measured_frames
from pack.py.measures.frame_pairs import pairwise_cosine, pairwise_ssim, spread, stretched
from pack.py.measures.frames import small
from pack.py.measures.intervals import interval_profile

CPU = torch.device("cpu")


def test_ssim_of_every_pair():
    clip = torch.rand(4, 17, 19, 3, generator=torch.Generator().manual_seed(0))
    clip[1:] = 0.5 * clip[:-1] + 0.5 * clip[1:]
    found = pairwise_ssim(clip, CPU)
    for i, j in combinations(range(4), 2):
        assert found[i, j] == pytest.approx(naive_ssim(clip[i].numpy(), clip[j].numpy()), abs=1e-5)
    assert torch.equal(found, found.mT) and torch.equal(found.diagonal(), torch.ones(4)) and found.dtype == torch.float32


def test_ssim_in_parts_is_the_same_and_every_part_is_watched(monkeypatch):
    clip, seen = clips.pan(1.0, frames=5), []
    whole = pairwise_ssim(clip, CPU)
    monkeypatch.setattr(measured_frames, "PIXELS_A_PART", 3 * clips.HEIGHT * clips.WIDTH)
    torch.testing.assert_close(pairwise_ssim(clip, CPU, lambda items: seen.extend(items) or items), whole)
    assert seen == [slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 10)], "10 pairs of 5 frames"


def test_large_frames_are_compared_scaled_down():
    clip = torch.stack([clips.texture(3.0 * f, height=256, width=300) for f in range(3)])
    reduced = small(clip.movedim(-1, 1)).movedim(1, -1)
    assert reduced.shape[1] == 128
    torch.testing.assert_close(pairwise_ssim(clip, CPU), pairwise_ssim(reduced, CPU))


def test_cosine_of_every_pair():
    vectors = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.tensor([[naive_cosine(one, other) for other in vectors] for one in vectors], dtype=torch.float32)
    found = pairwise_cosine(vectors)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert torch.equal(found, found.mT) and torch.equal(found.diagonal(), torch.ones(5)) and found.max() <= 1


@pytest.mark.parametrize("low", [-0.4, 0.0, 0.9, 0.999])
def test_stretching_takes_away_what_all_have_in_common(low):
    values = torch.rand(6, 6, generator=torch.Generator().manual_seed(0))
    matrix = (low + (1 - low) * (values + values.mT) / 2).fill_diagonal_(1.0)
    found = stretched(matrix)
    assert found.min() == 0 and torch.equal(found.diagonal(), torch.ones(6)) and torch.equal(found, found.mT)
    order = matrix.flatten().argsort(stable=True)
    assert (found.flatten()[order].diff() >= 0).all(), "what is more alike stays more alike"
    shared = 0.3 + 0.7 * matrix
    torch.testing.assert_close(stretched(shared), found, atol=1e-3 / (1 - low) ** 0.5, rtol=0)


def test_a_video_that_stands_still_has_no_dynamics():
    matrix = pairwise_ssim(clips.still(4), CPU)
    with pytest.raises(TemporalAttentionError, match=r"all alike \(similarity at least 1\.000000\)"):
        stretched(matrix)
    assert FrameSimilarity(matrix.clamp(min=0), "unstretched").matrix.min() > 0.9999


def test_a_cut_makes_two_blocks():
    found = stretched(pairwise_ssim(clips.cut(6), CPU))
    same = torch.arange(6)[:, None] // 3 == torch.arange(6) // 3
    assert found[same].min() > 0.99 and found[~same].max() < 0.01


@pytest.mark.parametrize("frames,most", [(3, 33), (33, 33), (81, 33), (81, 3), (1000, 512), (34, 33)])
def test_frames_are_spread_from_end_to_end(frames, most):
    chosen = spread(frames, most)
    assert len(chosen) == min(frames, most) and chosen[0] == 0 and chosen[-1] == frames - 1
    gaps = np.diff(chosen)
    assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1


def wrong(change):
    matrix = torch.tensor([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]])
    return change(matrix)


@pytest.mark.parametrize(
    "change,said",
    [
        (lambda m: m[:2], r"shape \[2, 3\]"),
        (lambda m: m[0], r"shape \[3\]"),
        (lambda m: m[:1, :1], r"shape \[1, 1\]"),
        (lambda m: m.double(), "float64"),
        (lambda m: m.index_fill(1, torch.tensor(1), float("nan")), "NaN"),
        (lambda m: m - 0.3, "from -0.1 to 0.7"),
        (lambda m: m + 0.1, "to 1.1"),
        (lambda m: m * torch.tensor([1.0, 1.0, 0.5]), "not symmetric"),
        (lambda m: m * 0.9, "0.9 on its diagonal"),
    ],
)
def test_a_matrix_that_is_no_similarity_is_refused(change, said):
    FrameSimilarity(wrong(lambda m: m), "fine")
    with pytest.raises(TemporalAttentionError, match=said):
        FrameSimilarity(wrong(change), "wrong")


@pytest.mark.parametrize("windows", [False, True])
def test_profiles_against_counting(windows):
    random = np.random.default_rng(0)
    matrices = [random.random((size, size)).astype(np.float32) for size in (4, 6, 6)]
    frames = [[0, 3, 4, 5], [0, 1, 2, 3, 4, 5], [0, 4, 5, 6, 7, 8]] if windows else [range(len(m)) for m in matrices]
    found = interval_profile(matrices, frames)
    values = {}
    for matrix, rows in zip(matrices, frames, strict=True):
        for i, row in enumerate(rows):
            for j, column in enumerate(rows):
                values.setdefault(abs(row - column), []).append(float(matrix[i, j]))
    assert found.itself == pytest.approx(np.mean(values.pop(0)))
    assert found.intervals.tolist() == sorted(values)
    for i, interval in enumerate(sorted(values)):
        assert found.mean[i] == pytest.approx(np.mean(values[interval]))
        low, high = (np.quantile(values[interval], q) for q in (0.1, 0.9))
        assert (found.low[i], found.high[i]) == (pytest.approx(low), pytest.approx(high))
