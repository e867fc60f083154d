"""The measures of a clip against naive float64 references and clips with known answers."""

import math

import clips
import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from pack.py.measures import frames as measured_frames
from pack.py.measures.frames import small
from pack.py.measures.regions import background_consistency, region_mean, subject_consistency
from pack.py.measures.similarity import ssim_map
from pack.py.measures.video import LOOPS, Curve, Embedded, measure
from pack.py.views.measures_report import measures_report, summary

CPU = torch.device("cpu")


def measured(clip, **options):
    return measure(clip, CPU, **options)


def noise(clip, deviation):
    return clip + deviation * torch.randn(clip.shape, generator=torch.Generator().manual_seed(0))


def test_region_mean():
    x = torch.rand(3, 2, 10, 10, generator=torch.Generator().manual_seed(0))
    region = torch.zeros(3, 1, 10, 10, dtype=torch.bool)
    region[0, :, :4], region[1, :, 3, 3] = True, True
    found = region_mean(x, region)
    assert found[0] == pytest.approx(x[0, :, :4].mean().item()) and found[1] == pytest.approx(x[1, :, 3, 3].mean().item())
    assert found[2].isnan(), "below 1 % of the frame"


def test_background_consistency_is_ssim_where_nothing_ever_moved():
    frames = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    still = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(1)) > 0.2
    expected = []
    for t in (1, 2, 3):
        where = torch.stack([still[p, 0] for p in range(t)]).all(0)
        alike = [float(ssim_map(frames[s, None], frames[t, None])[0, 0][where].mean()) for s in (t - 1, 0)]
        expected.append(sum(max(0.0, value) for value in alike) / 2)
    assert background_consistency(frames, still).tolist() == pytest.approx(expected, abs=1e-6)


def test_subject_consistency_is_the_earth_movers_distance_of_colours():
    darker = torch.tensor([1, 2, 1, 3, 1]).view(5, 1, 1, 1)
    frames = (torch.randint(256, (5, 3, 8, 8), generator=torch.Generator().manual_seed(0)) // darker) / 255
    moves = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1)) > 0.5
    moves[2] = False
    colours = {t: frames[t, :, moves[t, 0]].double().numpy() for t in (0, 1, 3, 4)}

    def likeness(s, t):
        return 1 - np.mean([wasserstein_distance(colours[s][c], colours[t][c]) for c in range(3)])

    found = subject_consistency(frames, moves)
    assert found[[0, 2]].isnan().all(), "the first with motion is what the others are compared with; the third has none"
    expected = [
        (likeness(0, 1) + likeness(0, 1)) / 2,
        (likeness(1, 3) + likeness(0, 3)) / 2,
        (likeness(3, 4) + likeness(0, 4)) / 2,
    ]
    assert found[[1, 3, 4]].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_still_clip():
    found = measured(clips.still())
    assert found["flicker"].mean == 0 and found["dynamic degree"].mean == 0
    assert found["motion smoothness"].mean == pytest.approx(100, abs=1e-4)
    assert found["background consistency"].mean == pytest.approx(100, abs=1e-4)
    assert math.isnan(found["subject consistency"].mean)
    assert [curve.values.shape for curve in found.values()] == [(9,)] * 5


def test_pure_flicker():
    found = measured(clips.flickering(0.04))
    assert found["flicker"].values[1:] == pytest.approx(np.full(8, 4.0), abs=1e-3)
    assert found["dynamic degree"].mean == 0
    assert found["motion smoothness"].values[1:-1] == pytest.approx(np.full(7, 96.0), abs=0.05)
    assert 90 < found["background consistency"].mean < 99.9


def test_flicker_of_a_still_scene_is_vbenchs_mean_absolute_difference():
    clip = noise(clips.still(), 0.01).clamp(0, 1)
    vbench = [np.mean(np.abs(clip[i + 1].double().numpy() - clip[i].double().numpy())) for i in range(8)]
    assert measured(clip)["flicker"].values[1:] == pytest.approx(100 * np.array(vbench), rel=0.01)


def test_flicker_ignores_what_moves():
    found = measured(clips.patch(2))
    whole = 100 * float((clips.patch(2)[1:] - clips.patch(2)[:-1]).abs().mean())
    assert found["flicker"].mean < 0.01 * whole
    brighter = clips.patch(2)
    brighter[1::2] += 0.03
    assert measured(brighter)["flicker"].mean == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("right", [0.5, 1.0, 2.5])
def test_uniform_motion(right):
    found = measured(clips.pan(right))
    assert found["dynamic degree"].mean == pytest.approx(100 * right / clips.HEIGHT, rel=0.15)
    assert found["motion smoothness"].mean > 99 and found["subject consistency"].mean > 98
    assert math.isnan(found["flicker"].mean) and math.isnan(found["background consistency"].mean), "nothing stands still"


def test_uneven_motion_is_less_smooth_than_even_motion_of_the_same_length():
    even, uneven = measured(clips.pan(1.0, frames=13)), measured(clips.jumping(by=4.0))
    assert uneven["motion smoothness"].mean < even["motion smoothness"].mean - 2
    moved = uneven["dynamic degree"].values[1:] > 0
    assert moved.tolist() == [i % 4 == 0 for i in range(12)]


def test_a_moving_thing_before_a_still_background():
    found = measured(clips.patch(2))
    assert found["dynamic degree"].mean == pytest.approx(100 * 2 / clips.HEIGHT, rel=0.15)
    assert found["background consistency"].mean > 99.9
    assert found["subject consistency"].mean > 95


def test_a_thing_that_changes_its_colours():
    changing = clips.patch(2)
    for f in range(9):
        changing[f, 12:28, 4 + 2 * f : 20 + 2 * f, 0] *= 1 - f / 9
    assert measured(changing)["subject consistency"].mean < measured(clips.patch(2))["subject consistency"].mean - 1.5


def test_a_background_that_drifts():
    drifting = clips.still()
    drifting += 0.1 * (clips.still(seed=3) - 0.5) * torch.arange(9)[:, None, None, None]
    values = measured(drifting)["background consistency"].values[1:]
    assert (np.diff(values) < 0).all() and values[-1] < 95


def test_a_hard_cut_is_in_one_place():
    found = measured(clips.cut())
    smooth = found["motion smoothness"].values[1:-1]
    assert (smooth < 99).tolist() == [f in (4, 5) for f in range(1, 9)]
    quiet = np.delete(found["dynamic degree"].values[1:], 4)
    assert (quiet == 0).all()
    assert np.delete(found["flicker"].values[1:], 4) == pytest.approx(np.zeros(8))


def test_large_frames_are_measured_on_a_small_copy_and_flicker_on_the_frames_themselves():
    assert small(torch.zeros(2, 3, 480, 832)).shape == (2, 3, 128, 222)
    assert small(torch.zeros(2, 3, 832, 480)).shape == (2, 3, 222, 128)
    assert small(torch.zeros(2, 3, 64, 64)).shape == (2, 3, 64, 64)
    clip = torch.stack([clips.texture(4.0 * f, height=256, width=320) for f in range(4)])
    assert measured(clip)["dynamic degree"].mean == pytest.approx(100 * 4 / 256, rel=0.1)
    pixels = clips.texture(height=256, width=320).repeat(4, 1, 1, 1)
    pixels[1::2, ::2, ::2] += 0.04
    assert measured(pixels)["flicker"].mean == pytest.approx(1.0, rel=0.01), "a quarter of the pixels, by 4 %"


def test_a_clip_in_parts_gives_the_same_and_every_part_is_watched(monkeypatch):
    clip, loops = noise(clips.patch(2), 0.01), []
    whole = measured(clip)
    monkeypatch.setattr(measured_frames, "PIXELS_A_PART", 2 * clips.HEIGHT * clips.WIDTH)
    pieces = measured(clip, watch=lambda items: loops.append(len(items)) or items)
    assert loops == [4, 4] and len(loops) == LOOPS
    for name, curve in whole.items():
        np.testing.assert_allclose(pieces[name].values, curve.values, atol=1e-2)


def test_embeddings_replace_the_consistencies():
    vectors = torch.eye(9, dtype=torch.float64) + 1
    found = measured(clips.still(), subject=Embedded("DINOv2", vectors), background=Embedded("CLIP", vectors.abs()))
    cosine = (9 + 2) / (9 + 3)
    for name, model in (("subject consistency", "DINOv2"), ("background consistency", "CLIP")):
        assert found[name].values[1:] == pytest.approx(np.full(8, 100 * cosine)) and model in found[name].how


def test_values_beyond_0_and_1_are_clamped():
    bright = clips.still()
    bright[1::2, :, :40] = 1.3
    bright[::2, :, :40] = 1.1
    assert measured(bright)["flicker"].mean == 0


def test_the_table_of_two_clips():
    before, after = measured(clips.flickering(0.04)), measured(clips.still())
    lines = measures_report(before, after).splitlines()
    assert lines[0] == "9 frames; means over frames, in percent"
    assert lines[2].split() == ["before", "after", "difference"]
    assert lines[3].split() == ["flicker", "4.000", "0.000", "-4.000", "lower", "is", "steadier"]
    assert lines[5].split()[:5] == ["dynamic", "degree", "0.000", "0.000", "+0.000"]
    assert "subject consistency: colours of what moves (nothing moves before and after)" in lines
    assert summary("flicker", before, after) == "before 4.000 %, after 0.000 %"


def test_a_difference_that_rounds_to_zero_has_no_minus():
    before, after = ({"flicker": Curve(np.array([np.nan, value]), "how")} for value in (1.00001, 1.0))
    assert "+0.000" in measures_report(before, after)


def test_the_table_of_one_clip():
    found = measured(clips.pan(1.0))
    lines = measures_report(found).splitlines()
    assert lines[3].split() == ["flicker", "-", "lower", "is", "steadier"]
    assert "flicker: change of what stands still from the frame before (nothing stands still)" in lines
    assert summary("flicker", found, None) == "nothing stands still"
