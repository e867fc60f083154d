"""Every figure against a kept picture, light and dark; and that the comparison tells a change from another font renderer."""

from dataclasses import replace

import golden
import pytest
import torch
from planted_traces import run

from pack.py.core.events import Branch
from pack.py.records.trace_set import joined, trace_set
from pack.py.views import figure, heatmap, matrices, matrix_film
from pack.py.views.matrix_cells import matrix_cells
from pack.py.views.tension.common import Look
from pack.py.views.tension.d_schedule import schedule
from pack.py.views.tension.plots import PLOTS

FIGURES = {name[0]: draw for name, draw in PLOTS.items()} | {"D": schedule}
COND = Branch.COND


def videos(tau):
    """Eight pairs of runs, the treated ones on trajectories of their own."""
    return joined(trace_set(run(seed, tau, 0.05), run(seed, 0.0, 0.07), "a") for seed in range(8))


@pytest.fixture(scope="module")
def traces():
    return videos(1.0)


@pytest.fixture(scope="module")
def others():
    """Other videos, treated more strongly."""
    return joined(trace_set(run(seed, 3.0, 0.05), run(seed, 0.0, 0.07), "a") for seed in range(20, 28))


def drawn_heatmap(trace):
    return heatmap.layer_step_heatmap(trace, "tension before", COND)


def drawn_matrices(trace):
    return matrices.frame_matrices(matrix_cells(trace, None, None, COND, False), "Frame attention as the model made it")


def drawn_film(trace):
    return matrix_film.frame_matrix_film(matrix_cells(trace, None, {0, 1}, COND, False), "Frame attention as the model made it")


RUNS = {"heatmap": drawn_heatmap, "frame_attention": drawn_matrices, "frame_attention_film": drawn_film}


@pytest.mark.parametrize("theme", figure.THEMES)
@pytest.mark.parametrize("letter", sorted(FIGURES))
def test_figures_of_the_tension_study(letter, theme, traces):
    golden.check(f"tension_{letter.lower()}_{theme}", FIGURES[letter](traces, Look(figure.THEMES[theme])))


@pytest.mark.parametrize("name", RUNS)
def test_pictures_of_one_run(name):
    golden.check(name, RUNS[name](run(0, 1.0))[:1])


def test_kept_pictures_are_small_and_all_are_compared():
    kept = {path.stem: path.stat().st_size for path in golden.FOLDER.iterdir()}
    assert set(kept) == {f"tension_{letter.lower()}_{theme}" for letter in FIGURES for theme in figure.THEMES} | set(RUNS)
    assert max(kept.values()) < 60_000


# The comparison itself


def kept(letter):
    return golden.Image.open(golden.FOLDER / f"tension_{letter.lower()}_light.png")


@pytest.mark.parametrize("letter", sorted(FIGURES))
def test_other_numbers_are_seen(letter, others):
    assert not golden.alike(kept(letter), golden.small(FIGURES[letter](others, Look())))


@pytest.mark.parametrize("letter", ["A", "B", "C", "J"])
def test_other_colours_are_seen(letter, traces):
    swapped = replace(figure.LIGHT, plain=figure.LIGHT.treated, treated=figure.LIGHT.plain, single="#CC79A7")
    assert not golden.alike(kept(letter), golden.small(FIGURES[letter](traces, Look(swapped))))


@pytest.mark.parametrize("letter", sorted(FIGURES))
def test_a_panel_that_is_missing_is_seen(letter):
    picture = kept(letter).convert("RGB")
    width, height = picture.size
    picture.paste((255, 255, 255), (width // 3, height // 4, 2 * width // 3, 3 * height // 4))
    assert not golden.alike(kept(letter), picture)


@pytest.mark.parametrize("letter", sorted(FIGURES))
def test_another_rendering_of_letters_passes(letter, traces, monkeypatch):
    """Hinting is what differs from one FreeType to the next; without it widths, and with them axes, move by pixels."""
    monkeypatch.setitem(figure.STYLE, "text.hinting", "none")
    image = golden.small(FIGURES[letter](traces, Look()))
    assert golden.alike(kept(letter), image), golden.difference(kept(letter), image)


def test_a_shift_by_a_pixel_passes():
    image = drawn_heatmap(run(0, 1.0))
    assert golden.alike(golden.small(image), golden.small(torch.roll(image, (1, 1), (1, 2))))
