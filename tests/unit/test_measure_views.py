"""Pictures of measures: the numbers they show, readable text inside the picture, nothing clipped or overlapping."""

import numpy as np
import pytest
import torch
from drawings import check_readable, keep_figures, texts

from pack.py.measures.chunks import chunk_consistency
from pack.py.measures.video import Curve
from pack.py.views import consistency_chart, measures_chart

NAMES = ("flicker", "motion smoothness", "dynamic degree", "subject consistency", "background consistency")


@pytest.fixture
def drawings(monkeypatch):
    """Every Figure that is drawn, kept for inspection."""
    return keep_figures(monkeypatch, consistency_chart, measures_chart)


def check(drawing):
    """As `check_readable`, the legend below the axes included."""
    check_readable(drawing)
    width, height = drawing.canvas.get_width_height()
    renderer = drawing.canvas.get_renderer()
    for legend in drawing.legends:
        box = legend.get_window_extent(renderer)
        assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height, "the legend is clipped"
        for text, other in texts(drawing):
            assert not box.overlaps(other), f"the legend overlaps {text!r}"


def similarities(count, low=0.9, high=1.0):
    return torch.from_numpy(np.random.default_rng(0).uniform(low, high, count))


def curves(count=33, scale=10.0, base=50.0, missing=()):
    random = np.random.default_rng(1)
    made = {name: Curve(np.r_[np.nan, base + scale * random.random(count - 1)], f"how of {name}") for name in NAMES}
    return made | {name: Curve(np.full(count, np.nan), f"how of {name}") for name in missing}


@pytest.mark.parametrize("count,compression", [(3, 2), (33, 4), (81, 4), (241, 8), (1001, 4)])
def test_consistency_charts_of_every_length_are_readable(count, compression, drawings):
    image = consistency_chart.consistency_chart(chunk_consistency(similarities(count - 1), compression), "SigLIP 2")
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and image.dtype == torch.float32
    check(drawings[0])


@pytest.mark.parametrize("low,high", [(0.99990, 0.99991), (1.0, 1.0), (-1.0, 1.0), (0.0, 0.5)])
def test_consistency_charts_of_every_range_are_readable(low, high, drawings):
    consistency_chart.consistency_chart(chunk_consistency(similarities(32, low, high), 4), "CLIP")
    check(drawings[0])


def test_the_consistency_chart_marks_the_pairs_that_cross(drawings):
    found = chunk_consistency(similarities(8), 4)
    consistency_chart.consistency_chart(found, "SSIM")
    (axes,) = drawings[0].axes
    across, within = (np.asarray(dots.get_offsets()) for dots in axes.collections)
    np.testing.assert_allclose(across, [[0.5, 100 * found.similarity[0]], [4.5, 100 * found.similarity[4]]])
    np.testing.assert_allclose(within[:, 1], 100 * found.within)
    lines = {line.get_label(): line.get_ydata()[0] for line in axes.lines}
    assert lines[f"mean across: {100 * found.cross.mean():.3f} %"] == pytest.approx(100 * found.cross.mean())
    assert lines[f"mean within: {100 * found.within.mean():.3f} %"] == pytest.approx(100 * found.within.mean())


@pytest.mark.parametrize("two", [False, True], ids=["one clip", "two clips"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"count": 3},
        {"count": 1001},
        {"scale": 0},
        {"scale": 1e-5, "base": 99.999},
        {"scale": 100, "base": 0},
        {"missing": ("flicker", "background consistency")},
        {"missing": ("subject consistency",)},
    ],
    ids=str,
)
def test_measures_charts_are_readable(options, two, drawings):
    image = measures_chart.measures_chart(*[curves(**options)] * (1 + two))
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and 0 <= image.min() and image.max() <= 1
    check(drawings[0])


def test_the_measures_chart_shows_the_numbers(drawings):
    before, after = curves(), curves(scale=5.0, missing=("flicker",))
    measures_chart.measures_chart(before, after)
    for axes, name in zip(drawings[0].axes, NAMES, strict=True):
        ours, theirs = (line.get_ydata() for line in axes.lines)
        np.testing.assert_array_equal(ours, before[name].values)
        np.testing.assert_array_equal(theirs, after[name].values)
        assert f"before {before[name].mean:.3f} %, after " in axes.get_title("left")
    assert drawings[0].axes[0].get_title("left").endswith("after nothing stands still")
