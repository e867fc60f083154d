"""Pictures of similarities: the numbers they show, readable text inside the picture, nothing clipped or overlapping."""

import numpy as np
import pytest
import torch
from drawings import check_readable, keep_figures, texts
from test_views import record, trace

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.similarity import FrameSimilarity
from pack.py.core.trace import Trace
from pack.py.views import interval_chart, similarity_matrix
from pack.py.views.interval_chart import ATTENTION, SIMILARITY, Curve, Panel
from pack.py.views.interval_profiles import attention_profile, profiles_by_block, similarity_profile


@pytest.fixture
def drawings(monkeypatch):
    """Every Figure that is drawn, kept for inspection."""
    return keep_figures(monkeypatch, interval_chart, similarity_matrix)


def check(drawing):
    """As `check_readable`, the legends below the axes and the line at the foot included."""
    check_readable(drawing)
    width, height = drawing.canvas.get_width_height()
    renderer = drawing.canvas.get_renderer()
    legends = [axes.get_legend() for axes in drawing.axes if axes.get_legend()]
    boxes = [legend.get_window_extent(renderer) for legend in legends]
    if drawing._supxlabel:
        boxes.append(drawing._supxlabel.get_window_extent(renderer))
    for i, box in enumerate(boxes):
        assert -0.5 <= box.x0 and box.x1 <= width + 0.5 and -0.5 <= box.y0 and box.y1 <= height + 0.5, "clipped"
        for text, other in texts(drawing):
            assert not box.overlaps(other), f"a legend overlaps {text!r}"
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
        assert not any(box.overlaps(axes.get_window_extent(renderer)) for axes in drawing.axes), "a legend lies on a curve"


def similarity(frames=9, low=0.0, spacing=1.0, source="SSIM of 9 frames"):
    apart = torch.arange(frames).sub(torch.arange(frames)[:, None]).abs() / (frames - 1)
    return FrameSimilarity(1 - (1 - low) * apart.sqrt(), source, spacing)


@pytest.mark.parametrize("frames,most", [(3, 3), (33, 33), (81, 33), (1000, 512)])
def test_a_matrix_of_every_size_is_readable(frames, most, drawings):
    chosen = np.linspace(0, frames - 1, most).round().astype(int).tolist()
    source = f"DINOv2 of {most} frames, evenly spread over {frames}; from 0.812 to 1, stretched to 0 to 1"
    image = similarity_matrix.similarity_matrix(similarity(most, source=source), chosen)
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and image.dtype == torch.float32
    check(drawings[0])
    shown = [label.get_text() for label in drawings[0].axes[0].get_xticklabels()]
    assert shown[0] == "0" and all(int(label) in chosen for label in shown) and len(shown) <= 12


def curves(count, frames=5):
    profile = attention_profile(trace(frames=frames), None, None, None, True)
    return [Curve(f"video {i}, after the edits", profile, i // 2, bool(i % 2)) for i in range(count)]


@pytest.mark.parametrize("frames", [2, 5, 33])
@pytest.mark.parametrize("panels", [1, 2, 4])
def test_charts_are_readable(panels, frames, drawings):
    found = similarity(frames, source="SSIM of 33 frames, evenly spread over 81; from 0.312 to 1, as measured")
    alike = Panel("Similarity", SIMILARITY, [Curve(f"a name: {found.source}", similarity_profile(found), i) for i in range(2)])
    blocks = profiles_by_block(trace(blocks=30, steps=2, frames=frames), None, None, None, False)
    by_block = [Panel(f"Attention of video {i}", ATTENTION, blocks=blocks) for i in range(2)]
    image = interval_chart.interval_chart([Panel("Attention", ATTENTION, curves(4, frames)), alike, *by_block][:panels])
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
    check(drawings[0])


@pytest.mark.parametrize("low", [0.0, 0.9, 0.9999, 1.0])
def test_a_still_video_looks_still(low, drawings):
    profile = similarity_profile(similarity(low=low))
    interval_chart.interval_chart([Panel("Similarity", SIMILARITY, [Curve("x " * 200, profile)])])
    check(drawings[0])
    bottom, top = drawings[0].axes[0].get_ylim()
    assert top >= 1 and bottom <= 0.9 and bottom <= max(0, low)


def test_attention_panels_have_one_scale_from_0(drawings):
    flat = Trace("Tiny", 1, [record(0, 0, blocks=1)])
    flat.records[0].values["after.frames"][:] = 0.2
    panels = [
        Panel("one", ATTENTION, blocks=profiles_by_block(trace(), None, None, None, True)),
        Panel("two", ATTENTION, blocks=profiles_by_block(flat, None, None, None, True)),
    ]
    interval_chart.interval_chart(panels)
    one, two = (axes.get_ylim() for axes in drawings[0].axes[:2])
    assert one == two and one[0] == 0


def test_the_profile_of_a_trace_is_that_of_its_matrices():
    made = trace(blocks=2, steps=2)
    for after, name in ((True, "after.frames"), (False, "frames")):
        found = attention_profile(made, {1}, {0}, None, after)
        matrices = [r.values[name] for r in made.records if r.site.block == 1 and r.step.index == 0]
        assert len(matrices) == 2
        assert found.mean[1] == pytest.approx(np.mean([np.r_[np.diag(m, 2), np.diag(m, -2)] for m in matrices]))
        assert profiles_by_block(made, None, {0}, None, after)[1].mean[1] == pytest.approx(found.mean[1])


def test_a_context_window_counts_the_frames_of_the_whole_video():
    made = Trace("Tiny", 1, [record(0, 0, blocks=1, frames=3)])
    object.__setattr__(made.records[0], "frames", (0, 7, 8))
    assert attention_profile(made, None, None, None, False).intervals.tolist() == [1, 7, 8]


def test_intervals_of_a_similarity_are_frames_of_the_video():
    assert similarity_profile(similarity(5, spacing=2.5)).intervals.tolist() == [2, 3, 5, 6, 8, 10]


def test_nothing_recorded_says_what_there_is():
    with pytest.raises(TemporalAttentionError, match="The run has blocks 0-3 and steps 0-5"):
        attention_profile(trace(), {9}, None, None, True)
