"""Figures of the tension study: the numbers they show, readable in light and dark, nothing clipped or overlapping, quick."""

import importlib
import itertools
import pkgutil
import sys
import time

import numpy as np
import pytest
import scipy.stats
import torch
from drawings import check_readable, keep_figures, texts
from planted_traces import run

from pack.py.core.errors import TemporalAttentionError
from pack.py.measures.paired import cohens_d, improvement, reduction
from pack.py.records.trace_set import joined, trace_set
from pack.py.views import figure, tension
from pack.py.views.tension.common import METRICS, Look
from pack.py.views.tension.d_schedule import schedule
from pack.py.views.tension.plots import PLOTS

FIGURES = {**PLOTS, "D": schedule}
MODULES = [importlib.import_module(f"{tension.__name__}.{info.name}") for info in pkgutil.iter_modules(tension.__path__)]


@pytest.fixture
def drawings(monkeypatch):
    """Every Figure that is drawn, kept for inspection."""
    return keep_figures(monkeypatch, *(module for module in MODULES if hasattr(module, "to_image")))


def videos(count, tau=1.0, baseline=True, **sizes):
    return joined(trace_set(run(seed, tau, **sizes), run(seed, **sizes) if baseline else None, "a") for seed in range(count))


@pytest.fixture(scope="module")
def sets():
    """Trace sets of several kinds."""
    wandering = (trace_set(run(s, 1.0, 0.05), run(s, 0.0, 0.07), "a") for s in range(8))
    return {
        "videos": videos(8),
        "wandering": joined(wandering),
        "deep network": videos(1, blocks=60, steps=50, frames=3, heads=1),
        "one block": videos(2, blocks=1, steps=1, tau=3.0),
    }


def boxes(drawing):
    """(text, box) of titles, labels, ticks, legends and the small print."""
    renderer = drawing.canvas.get_renderer()
    extra = [drawing._supxlabel] + [t for a in drawing.axes if a.get_legend() for t in a.get_legend().get_texts()]
    extra += [t for legend in drawing.legends for t in legend.get_texts()]
    return texts(drawing) + [(t.get_text(), t.get_window_extent(renderer)) for t in extra]


def check(drawing):
    """As `check_readable`, small print and legends included."""
    check_readable(drawing)
    width, height = drawing.canvas.get_width_height()
    found = boxes(drawing)
    for text, box in found:
        assert -0.5 <= box.x0 and box.x1 <= width + 0.5 and -0.5 <= box.y0 and box.y1 <= height + 0.5, f"{text!r} is clipped"
    for (one, a), (other, b) in itertools.combinations(found, 2):
        assert not a.shrunk(0.95, 0.9).overlaps(b.shrunk(0.95, 0.9)), f"{one!r} overlaps {other!r}"


@pytest.mark.parametrize("kind", ["deep network", "one block"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_readable_and_quick(name, kind, sets, drawings):
    started = time.process_time()
    image = FIGURES[name](sets[kind], Look())
    assert time.process_time() - started < 2
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and image.dtype == torch.float32
    check(drawings[0])


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_dark_where_it_is_asked_to_be(name, sets, drawings):
    image = FIGURES[name](sets["wandering"], Look(figure.DARK, note=" (the newest traced run: no run returned this very latent)"))
    check(drawings[0])
    assert image.median() < 0.2 or name in ("D", "H: where it improves")
    text = [t for axes in drawings[0].axes for t in (axes.xaxis.label, axes._left_title, *axes.get_xticklabels())]
    assert all(np.mean(_rgb(t.get_color())) > 0.5 for t in text if t.get_text())
    assert all(np.mean(_rgb(axes.get_facecolor())) < 0.2 for axes in drawings[0].axes if axes.images == [])


def _rgb(colour):
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


@pytest.mark.parametrize("name", [name for name in FIGURES if name[0] in "ABDEM"])
def test_without_gamma_a_figure_draws_all_calls_or_says_why_not(name, drawings):
    plain = joined(trace_set(run(s, 0.0, 0.1), run(s, 0.0, 0.2), "a") for s in range(6))
    if name.startswith(("B", "M")):
        with pytest.raises(TemporalAttentionError, match="Spectral Transport Homeostasis .STH. on it"):
            FIGURES[name](plain, Look())
    else:
        FIGURES[name](plain, Look())
        check(drawings[0])


@pytest.mark.parametrize("name", [name for name in PLOTS if name[0] in "ABGHIKM"])
def test_without_an_active_call_a_figure_says_what_to_lower(name, sets):
    with pytest.raises(TemporalAttentionError, match="Lower active_threshold"):
        PLOTS[name](sets["videos"], Look(threshold=100.0))


# The numbers that are drawn


def drawn(drawings, letter, traces, look=None):
    """The axes of one figure."""
    figures = {name[0]: function for name, function in FIGURES.items()}
    figures[letter](traces, look or Look())
    return drawings[-1].axes


def test_a_shows_mean_reductions_by_depth(sets, drawings):
    *_, by_depth = drawn(drawings, "A", sets["videos"])
    traces = sets["videos"]
    for video_depth, bar in ((1.0, 9), (2 / 3, 6)):
        values = [reduction(v)[v.active(0.03) & np.isclose(v.calls.depth, video_depth)] for v in traces.videos]
        assert by_depth.patches[bar].get_height() == pytest.approx(np.concatenate(values).mean())


def test_c_has_a_point_a_video_on_the_right_side_of_the_line(sets, drawings):
    first, *_ = drawn(drawings, "C", sets["videos"])
    points = np.asarray(first.collections[0].get_offsets())
    deep = [v.deep(0.5) for v in sets["videos"].videos]
    expected = [
        [part.values["|T|"][rows].mean() for part in (v.baseline, v.treated)]
        for v, rows in zip(sets["videos"].videos, deep, strict=True)
    ]
    np.testing.assert_allclose(points, expected)


def test_d_and_h_show_means_of_cells(sets, drawings):
    traces = sets["videos"]
    cells = drawn(drawings, "D", traces)[2].images[0].get_array()
    here = [reduction(v)[(v.calls.block == 3) & (v.calls.step == 1)] for v in traces.videos]
    assert cells[3, 1] == pytest.approx(np.concatenate(here).mean())
    cells = drawn(drawings, "H", traces)[0].images[0].get_array()
    active = [improvement(v, "|T|")[(v.calls.block == 3) & (v.calls.step == 1) & v.active(0.03)] for v in traces.videos]
    assert cells[3, 1] == pytest.approx(np.concatenate(active).mean())


def test_f_shows_the_mean_spectrum(sets, drawings):
    first, *_ = drawn(drawings, "F", sets["videos"])
    for line, part in zip(first.lines, ("baseline", "treated"), strict=True):
        rows = np.concatenate([getattr(v, part).spectrum[v.deep(0.5)] for v in sets["videos"].videos])
        np.testing.assert_allclose(line.get_ydata(), rows.mean(0))
        assert rows.mean(0).sum() == pytest.approx(1, abs=1e-5)


def test_j_ranks_videos_by_the_tension_of_their_baseline(sets, drawings):
    axes = drawn(drawings, "J", sets["wandering"])
    ranked = sorted(sets["wandering"].videos, key=lambda v: v.baseline.values["|T|"][v.deep(0.5)].mean())
    for panel, name in zip(axes, METRICS, strict=True):
        sizes = [cohens_d(improvement(v, name)[v.deep(0.5)]) for v in ranked]
        np.testing.assert_allclose([bar.get_height() for bar in panel.patches], sizes)


def test_m_has_eight_equal_bins_by_strength_and_their_rank_correlation(sets, drawings):
    traces = sets["videos"]
    panel = drawn(drawings, "M", traces)[0]
    strength, better = (
        np.concatenate([of(v)[v.active(0.03)] for v in traces.videos])
        for of in (lambda v: abs(v.calls.gamma - 1), lambda v: improvement(v, METRICS[0]))
    )
    bins = np.array_split(np.argsort(strength, kind="stable"), 8)
    means = [better[part].mean() for part in bins]
    np.testing.assert_allclose([bar.get_height() for bar in panel.patches], means)
    assert f"{scipy.stats.spearmanr(range(8), means).statistic:+.2f}" in panel._left_title.get_text()


def test_g_shares_sum_to_one_and_end_at_the_positive_rate(sets, drawings):
    histogram, *_ = axes = drawn(drawings, "G", sets["videos"])
    assert 0.98 <= sum(bar.get_height() for bar in histogram.patches) <= 1
    values = np.concatenate([improvement(v, METRICS[0])[v.active(0.03)] for v in sets["videos"].videos])
    assert axes[3].lines[0].get_ydata()[-1] == pytest.approx((values > 0).mean())


def test_pyplot_is_never_imported(sets):
    PLOTS["C: each video"](sets["videos"], Look())
    assert "matplotlib.pyplot" not in sys.modules
