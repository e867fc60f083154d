"""Pictures of traces: right size and values, readable text inside the picture, nothing clipped or overlapping."""

import sys

import numpy as np
import pytest
import torch
from drawings import check_readable, keep_figures, texts
from events import COND, STEP, UNCOND

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Site, Step
from pack.py.core.trace import Record, Trace
from pack.py.views import heatmap, matrices, matrix_film, quantities, report
from pack.py.views.matrix_cells import matrix_cells as cells


def record(block, step, branch=COND, blocks=4, frames=5, gamma=1.2, seed=0):
    random = np.random.default_rng([block, step, seed])
    spectra = random.dirichlet(np.ones(frames), size=(2, 2)).astype(np.float32)
    values = {
        "h_row": np.array([0.9, 0.7], np.float32),
        "spectrum": spectra[0],
        "frames": random.dirichlet(np.ones(frames), size=frames).astype(np.float32),
        "after.h_row": np.array([0.8, 0.6], np.float32),
        "after.spectrum": spectra[1],
        "after.frames": random.dirichlet(np.ones(frames), size=frames).astype(np.float32),
        "gamma": np.array(gamma, np.float32),
        "tau_eff": np.array(0.2, np.float32),
    }
    return Record(Step(step, 20, 1 - step / 20, step / 20, 1 - step / 20), Site(block, blocks, "self"), branch, 0, None, values)


def trace(blocks=4, steps=6, **options):
    records = [record(b, s, branch, blocks, **options) for s in range(steps) for b in range(blocks) for branch in (COND, UNCOND)]
    return Trace("Tiny", blocks, records, ("STH acted on 48 calls",))


@pytest.fixture
def drawings(monkeypatch):
    """Every Figure that is drawn, kept for inspection."""
    return keep_figures(monkeypatch, heatmap, matrices, matrix_film)


@pytest.mark.parametrize("quantity", quantities.QUANTITIES)
def test_a_heatmap_of_every_quantity_is_readable(quantity, drawings):
    image = heatmap.layer_step_heatmap(trace(), quantity, None)
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and image.dtype == torch.float32
    assert 0 <= image.min() and image.max() <= 1
    check_readable(drawings[0])


@pytest.mark.parametrize("blocks,steps", [(1, 1), (30, 50), (60, 4), (4, 100)])
def test_heatmaps_of_every_size_are_readable(blocks, steps, drawings):
    heatmap.layer_step_heatmap(trace(blocks, steps), "tension before", COND, note=" (the newest traced run)")
    check_readable(drawings[0])


def test_the_heatmap_shows_the_numbers(drawings):
    drawn = trace()
    heatmap.layer_step_heatmap(drawn, "tension before", COND)
    mesh = drawings[0].axes[0].images[0]
    expected = [
        [np.mean([quantities.tension(r, False) for r in drawn.select(COND, {s}, {b})]) for s in range(6)] for b in range(4)
    ]
    np.testing.assert_allclose(mesh.get_array(), expected, rtol=1e-6)


def test_colours_are_centred_and_shared_before_and_after(drawings):
    for quantity in ("tension before", "tension after"):
        heatmap.layer_step_heatmap(trace(), quantity, None)
    limits = [d.axes[0].images[0].get_clim() for d in drawings]
    assert limits[0] == limits[1] and limits[0][0] == -limits[0][1]
    heatmap.layer_step_heatmap(trace(), "gamma", None)
    low, high = drawings[2].axes[0].images[0].get_clim()
    assert (low + high) / 2 == pytest.approx(1.0)
    heatmap.layer_step_heatmap(trace(), "tension before", None, full_range=True)
    assert drawings[3].axes[0].images[0].get_clim() == (-1, 1)


def test_a_quantity_that_nobody_recorded_says_so(drawings):
    plain = trace()
    for r in plain.records:
        r.values.pop("gamma")
    heatmap.layer_step_heatmap(plain, "gamma", None)
    assert any("nothing was recorded" in text for text, _ in texts(drawings[0]))
    check_readable(drawings[0])


@pytest.mark.parametrize("blocks,steps", [({1}, {2}), ({0, 1, 2}, {0, 1}), (None, None), ({3}, None)])
def test_matrices_are_readable(blocks, steps, drawings):
    image = matrices.frame_matrices(cells(trace(blocks=20, steps=20), blocks, steps, None, after=False), "Frame attention")
    assert image.shape[2:] == (1024, 3)
    check_readable(drawings[0])


def test_matrices_show_the_mean_over_branches(drawings):
    drawn = trace()
    matrices.frame_matrices(cells(drawn, {1}, {2}, None, after=True), "Frame attention")
    expected = np.mean([r.values["after.frames"] for r in drawn.select(None, {2}, {1})], axis=0)
    np.testing.assert_allclose(drawings[0].axes[0].images[0].get_array(), expected, rtol=1e-6)


def test_changed_matrices_are_the_difference_with_colours_centred_at_no_change(drawings):
    one, other = trace(), trace(seed=1)
    change = cells(one, None, None, COND, False).minus(cells(other, {1, 2, 9}, {2, 3}, COND, False))
    assert (change.blocks, change.steps) == ((1, 2), (2, 3))
    expected = one.select(COND, {3}, {2})[0].values["frames"] - other.select(COND, {3}, {2})[0].values["frames"]
    np.testing.assert_allclose(change.values[1, 1], expected, rtol=1e-6)
    matrices.frame_matrices(change, "Change")
    low, high = drawings[0].axes[0].images[0].get_clim()
    assert low == -high == -np.abs(change.values).max()
    check_readable(drawings[0])
    nothing = cells(one, None, None, None, True)
    matrices.frame_matrices(nothing.minus(nothing), "Change")


def test_runs_without_common_steps_or_of_other_length_have_no_difference():
    whole = cells(trace(), None, None, None, False)
    for other in (cells(trace(), None, {5}, None, False), cells(trace(frames=4), None, None, None, False)):
        with pytest.raises(TemporalAttentionError, match="two runs of the same length"):
            cells(trace(), None, {0}, None, False).minus(other)
    assert whole.minus(whole).values.any() == np.False_


@pytest.mark.parametrize("blocks,frames", [(1, 2), (3, 5), (6, 21), (40, 9)])
def test_a_film_has_a_picture_a_step_and_only_the_matrices_move(blocks, frames, drawings):
    drawn = trace(blocks, 3, frames=frames)
    film = matrix_film.frame_matrix_film(cells(drawn, None, None, COND, False), "Frame attention as the model made it")
    assert film.shape[0] == 3 and film.shape[2:] == (1024, 3)
    check_readable(drawings[-1])
    axes = drawings[-1].axes[0]
    width, height = drawings[-1].canvas.get_width_height()
    names = [(t.get_text(), t.get_window_extent(drawings[-1].canvas.get_renderer())) for t in axes.texts]
    assert len(names) == min(blocks, 12) and all(0 <= b.x0 and b.x1 <= width and b.y1 <= height for _, b in names)
    for name, box in names:
        inside = axes.transData.inverted().transform(box.get_points())
        values = axes.images[0].get_array()
        rows = slice(max(int(np.ceil(inside[:, 1].min())), 0), int(np.floor(inside[:, 1].max())) + 1)
        columns = slice(int(np.ceil(max(inside[0, 0], 0))), int(np.floor(inside[1, 0])) + 1)
        assert (values[rows, columns] > 1).all(), f"{name} lies on a matrix"
    moved = (film[0] != film[1]).any(-1)
    legend = moved[:, int(axes.get_window_extent().x1) + 10 :]
    assert not legend[40:].any() and not moved[:40, :200].any(), "the colour bar or the title moved"


def test_a_film_shows_each_step_on_one_scale(drawings):
    drawn = trace()
    found = cells(drawn, {1}, None, COND, False)
    film = matrix_film.frame_matrix_film(found, "Frame attention")
    assert film.shape[0] == 6
    shown = drawings[-1].axes[0].images[0]
    np.testing.assert_allclose(shown.get_array()[-5:], drawn.select(COND, {5}, {1})[0].values["frames"], rtol=1e-6)
    assert shown.get_clim() == (0, found.values.max())


def test_matrices_of_blocks_that_were_not_recorded_raise():
    with pytest.raises(TemporalAttentionError, match="blocks 0-3 and steps 0-5"):
        cells(trace(), {9}, None, None, after=False)


def test_the_report_names_what_matters():
    text = report.trace_report(trace(gamma=1.5), 0.03)
    for part in ("Tiny, 4 blocks", "STH acted on 48 calls", "cond: 24 calls", "active calls", "24 of 24 (100%)", "largest |T|"):
        assert part in text, part
    quiet = report.trace_report(trace(gamma=1.01), 0.03)
    assert "no call was active" in quiet and "raise tau" in quiet


def test_the_report_counts_gammas_of_single_heads():
    """Their mean is 1: nothing would seem to have been done."""
    text = report.trace_report(trace(gamma=(1.1, 0.9)), 0.03)
    assert "24 of 24 (100%); |T| of a head fell on" in text and "no call was active" not in text


def test_the_report_tells_an_output_gain_from_a_gamma():
    drawn = trace(gamma=1.5)
    for r in drawn.records:
        r.values["gain"] = r.values.pop("gamma")
    text = report.trace_report(drawn, 0.03)
    assert "output gain on 24 of 24 calls: mean 1.500, at most 1.500" in text and "active" not in text


def test_the_report_of_an_empty_trace():
    assert "no attention call was recorded" in report.trace_report(Trace("Tiny", 4), 0.03)


def test_quantities_of_known_spectra():
    flat = Record(STEP, Site(0, 1, "self"), COND, 0, None, {"h_row": np.ones(1), "spectrum": np.array([[1.0, 0, 0, 0]])})
    assert quantities.tension(flat, False) == 1.0 and quantities.tension(flat, True) == 1.0
    identity = Record(STEP, Site(0, 1, "self"), COND, 0, None, {"h_row": np.zeros(1), "spectrum": np.full((1, 4), 0.25)})
    assert quantities.tension(identity, False) == pytest.approx(-1.0)


def test_pyplot_is_never_imported():
    heatmap.layer_step_heatmap(trace(), "tension before", None)
    assert "matplotlib.pyplot" not in sys.modules


def by_head(seed=0, only=None):
    """A trace that kept the matrices of single heads in some blocks."""
    drawn = trace(seed=seed)
    random = np.random.default_rng(seed)
    for r in drawn.records:
        if only is None or r.site.block in only:
            r.values["frames_by_head"] = random.random((4, *r.values["frames"].shape), np.float32)
    return drawn


def test_heads_have_rows_of_their_own(drawings):
    drawn = by_head(only={1, 3})
    found = cells(drawn, None, {0, 2}, COND, False, {0, 3})
    assert [str(row) for row in found.blocks] == ["1, head 0", "1, head 3", "3, head 0", "3, head 3"] and found.steps == (0, 2)
    np.testing.assert_array_equal(found.values[1, 1], drawn.select(COND, {2}, {1})[0].values["frames_by_head"][3])
    matrices.frame_matrices(found, "Frame attention")
    assert [label.get_text() for label in drawings[0].axes[0].get_yticklabels()][1] == "block 1, head 3"
    check_readable(drawings[0])
    film = matrix_film.frame_matrix_film(found, "Frame attention")
    assert len(film) == 2 and [t.get_text() for t in drawings[-1].axes[0].texts][2] == "block 3, head 0"
    other = cells(by_head(seed=1, only={1}), None, None, COND, False, {3})
    assert [str(row) for row in found.minus(other).blocks] == ["1, head 3"]


def test_heads_that_are_not_there_are_refused():
    with pytest.raises(TemporalAttentionError, match="head_blocks of Trace Attention"):
        cells(trace(), None, None, None, False, {0})
    with pytest.raises(TemporalAttentionError, match="heads from 0 to 3"):
        cells(by_head(), None, None, None, False, {1, 4})
    with pytest.raises(TemporalAttentionError, match="in the chosen blocks"):
        cells(by_head(only={1}), {2}, None, None, False, {0})
