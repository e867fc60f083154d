"""The picture that fills up during a run: its colours, its cells, its size."""

import matplotlib
import numpy as np
import planted_traces
import pytest
from events import COND, UNCOND

from pack.py.core.events import Site, Step
from pack.py.core.trace import Record
from pack.py.views.live_heatmap import CAPTION, MARGIN, MISSING, TO_COME, WIDTH, LiveHeatmap
from pack.py.views.quantities import QUANTITIES

TENSION = QUANTITIES["tension before"]


def record(tension, block=0, step=0, blocks=1, steps=1, branch=COND):
    """A call with this tension: h_vn is 0 for a spectrum with one eigenvalue, 1 for a uniform one."""
    spectrum = [[1.0, 0, 0, 0]] if tension >= 0 else [[0.25] * 4]
    h_row = [tension if tension >= 0 else 1 + tension]
    values = {"h_row": np.float32(h_row), "spectrum": np.float32(spectrum)}
    return Record(Step(step, steps, 1.0, 0.0, 1.0), Site(block, blocks, "self"), branch, 0, None, values)


def cells(picture, blocks, steps):
    """[blocks, steps, 3]: the colour in the middle of each cell."""
    body = np.asarray(picture)[CAPTION:-MARGIN, MARGIN:-MARGIN]
    rows, columns = (((np.arange(n) + 0.4) * size / n).astype(int) for n, size in zip((blocks, steps), body.shape, strict=False))
    return body[rows][:, columns].astype(int)


def drawn(records, blocks, steps):
    heatmap = LiveHeatmap(blocks)
    heatmap.add(records)
    return cells(heatmap.draw(), blocks, steps)


def test_colours_are_those_of_the_heatmaps():
    tensions = np.linspace(-0.8, 0.8, 33)
    found = drawn([record(t, step=i, steps=33) for i, t in enumerate(tensions)], 1, 33)[0]
    expected = 255 * matplotlib.colormaps["RdBu_r"]((tensions / 0.8 + 1) / 2)[:, :3]
    np.testing.assert_allclose(found, expected, atol=4)


def test_cells_are_the_means_of_the_trace_and_its_scale_is_symmetric():
    trace = planted_traces.run(3, blocks=4, steps=5, samples=2, branches=(COND, UNCOND))
    means = trace.by_block_and_step(TENSION.of)
    expected = 255 * matplotlib.colormaps["RdBu_r"]((means / np.abs(means).max() + 1) / 2)[..., :3]
    np.testing.assert_allclose(drawn(trace.records, 4, 5), expected, atol=4)


def test_a_cell_with_more_calls_is_no_darker():
    several = [record(t, block=0, blocks=2) for t in (0.2, 0.3, 0.4)]
    colours = drawn([*several, record(0.3, block=1, blocks=2)], 2, 1)
    assert (colours[0] == colours[1]).all()


def test_it_fills_up_step_by_step_as_if_it_had_come_at_once():
    trace = planted_traces.run(4, blocks=3, steps=6)
    heatmap = LiveHeatmap(3)
    for step in range(6):
        heatmap.add(trace.select(steps={step}))
        colours = cells(heatmap.draw(), 3, 6)
        to_come = (colours == TO_COME).all(-1)
        assert not to_come[:, : step + 1].any() and to_come[:, step + 1 :].all()
    assert (colours == drawn(trace.records, 3, 6)).all()


def test_calls_without_a_value_are_grey():
    silent = Record(Step(1, 3, 1.0, 0.0, 1.0), Site(0, 2, "cross"), COND, 0, None, {"entropy": np.ones(1)})
    colours = drawn([record(0.5, blocks=2, steps=3), silent], 2, 3)
    assert (colours[1, 0] == MISSING).all() and (colours[:, 1] == MISSING).all() and (colours[:, 2] == TO_COME).all()
    assert (colours[0, 0] != MISSING).any()


def test_without_tension_it_is_white():
    assert (drawn([record(0.0)], 1, 1) == 247).all()


@pytest.mark.parametrize("blocks,steps", [(1, 1), (3, 4), (6, 20), (40, 50), (60, 100), (30, 300), (400, 1000)])
def test_it_is_small_whatever_the_size_and_its_caption_fits(blocks, steps):
    heatmap = LiveHeatmap(blocks)
    heatmap.add([record(0.5, blocks=blocks, steps=steps)])
    picture = heatmap.draw()
    assert WIDTH < picture.width < 3 * WIDTH and picture.height < 500
    assert len(np.unique(np.asarray(picture)[:CAPTION, -MARGIN:])) == 3, "no letter in the right margin"


def test_nothing_recorded_yet():
    assert LiveHeatmap(4).draw().width > WIDTH
