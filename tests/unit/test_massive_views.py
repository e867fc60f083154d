"""Reports and pictures of massive activations: what they say, what they show, and that all of it can be read."""

import sys

import numpy as np
import pytest
import torch
from drawings import check_readable, keep_figures, texts
from events import COND, UNCOND

from pack.py.core.events import Block, CallNotes, Forward, Grid, Site, Step
from pack.py.core.trace import Trace, to_records
from pack.py.records.massive_trace import profile_of, records_of
from pack.py.techniques.massive_record import MassiveActivationRecorder
from pack.py.views import massive, massive_charts, massive_values

CHANNEL, BLOCKS = 77, 4
NEWEST = " (the newest traced run: no run returned this very latent)"


def trace(frames=5, height=4, width=6, channels=128, steps=4, planted=200.0, percent=8.0, noise=0.2):
    """Two rows of every block; in blocks 2 and 3 one channel is large: first frame over borders over interior, fading."""
    grid, recorder = Grid(frames, height, width, frames * height * width), MassiveActivationRecorder(percent=percent)
    generator = torch.Generator().manual_seed(0)
    along = torch.full((frames, height * width), 0.4)
    along[:, :2] = along[:, -2:] = 0.6
    along[0] = 1.0
    records = []
    for step in range(steps):
        when = Step(step, 10, 1 - step / 10, step / 10, 1 - step / 10)
        forward = Forward(when, grid, (UNCOND, COND), (0, 0))
        for block in range(BLOCKS):
            site, x = Site(block, BLOCKS, "self"), noise * torch.randn(2, grid.tokens, channels, generator=generator)
            x[..., CHANNEL % channels] += planted * along.flatten() * (1 - 0.1 * step) * (block >= 2)
            records += to_records([CallNotes(site, forward, recorder.block_seen(Block(site, forward, x, (0, 1))))])
    return Trace("Tiny", BLOCKS, records)


def of_block(run, block=2, steps=None):
    return [record for record in records_of(run, steps, None) if record.site.block == block]


@pytest.fixture
def drawings(monkeypatch):
    """Every Figure that is drawn, kept for inspection."""
    return keep_figures(monkeypatch, massive_charts)


# Words


def report(run, wanted=1, note=""):
    return massive.massive_report(profile_of(run, None, None), records_of(run, None, None), wanted, note)


def test_the_report_names_the_planted_channel_and_nothing_else():
    lines = report(trace()).splitlines()
    assert lines[0] == "Tiny, 4 blocks, step 1 of 10, averaged over 2 rows"
    (row,) = [line for line in lines if line.startswith("     77")]
    cells = row.split()
    assert cells[:2] == ["77", "massive"] and row.endswith("; 2-3")
    assert float(cells[3]) == pytest.approx(180, rel=0.02) and 50 < float(cells[4]) < 128 < float(cells[5])
    first, border, inside = (float(cell.rstrip(";")) for cell in (cells[6], cells[8], cells[10]))
    assert first > border > inside
    assert not any(word in line for line in lines[4:] for word in (" weak ", "massive   ") if line != row)
    assert lines[-1] == "To steer: block 2, channel 77 (massive there, and nearest to block 1)."


def test_without_massive_activations_the_best_candidates_are_named():
    text = report(trace(planted=6.0), note=NEWEST)
    assert "No massive activation: no peak over 50 x the mean peak; the best candidates are channel 77 of block" in text
    assert text.endswith("Nothing would be steered.") and NEWEST in text
    assert "weak" in text.split("\n\n")[1], "6 is far above the others' 0.8"


def test_a_report_of_a_loaded_profile_has_no_regions():
    found = profile_of(trace(), None, None)
    assert "not recorded; 2-3" in massive.massive_report(found, [], 1)


def test_a_report_of_very_many_channels_is_cut():
    run = trace(planted=0.0, channels=4096)
    for record in run.records:
        record.values["peaks"][100:130] = 20.0
    text = report(run)
    assert text.count("weak   ") == massive.MOST_ROWS and "... and 18 more" in text


# Values


def test_values_of_a_channel_are_means_over_the_records_that_follow_it():
    run = trace()
    records = of_block(run)
    profile = massive_values.of_channel(records, "profile", CHANNEL)
    each = [r.values["profile"][list(r.values["strongest"]).index(CHANNEL)] for r in records]
    assert profile.shape == (5, 24) and np.allclose(profile, np.mean(each, axis=0))
    assert massive_values.followed(records, 3)[0] == CHANNEL
    unseen = next(c for c in range(128) if all(c not in r.values["strongest"] for r in records))
    assert massive_values.of_channel(records, "profile", unseen) is None


def test_magnitudes_over_the_steps_fade_and_keep_their_order():
    run = trace()
    steps, values = massive_values.over_steps(run.select(None, None, {2}), CHANNEL)
    assert steps.tolist() == [0, 1, 2, 3] and values.shape == (4, 3)
    assert (np.diff(values, axis=0) < 0).all() and (np.diff(values, axis=1) < 0).all()
    assert values[0] == pytest.approx([200, 120, 80], rel=0.05)


# Pictures


def over_tokens(run):
    return massive_charts.channels_over_tokens(run, of_block(run), NEWEST)


def along_tokens(run):
    records = of_block(run)
    return massive_charts.channel_along_tokens(run, records, massive_values.followed(records, 1)[0], 8.0, NEWEST)


def over_steps(run):
    records = run.select(None, None, {2})
    return massive_charts.regions_over_steps(run, records, massive_values.followed(records, 1)[0], NEWEST)


SHAPES = {
    "usual": {},
    "long": {"frames": 81, "height": 6, "width": 8, "channels": 64, "steps": 2},
    "tiny": {"frames": 2, "height": 1, "width": 1, "channels": 4, "steps": 1},
    "nothing massive": {"planted": 0.0},
    "silence": {"planted": 0.0, "noise": 0.0, "channels": 3},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("draw", [over_tokens, along_tokens, over_steps])
def test_every_picture_is_readable(draw, shape, drawings):
    image = draw(trace(**SHAPES[shape]))
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and image.dtype == torch.float32
    assert 0 <= image.min() and image.max() <= 1
    check_readable(drawings[0])
    assert any("newest traced run" in text for text, _ in texts(drawings[0]))


@pytest.mark.parametrize("draw", [over_tokens, along_tokens, over_steps])
def test_context_windows_of_several_lengths_are_drawn(draw):
    """ComfyUI begins every window after the first with one more frame."""
    run, longer = trace(frames=5), trace(frames=6)
    assert draw(Trace("Tiny", BLOCKS, run.records + longer.records + longer.records)).shape[2] == 1024


def test_the_heatmap_shows_the_channels_by_falling_peak(drawings):
    run = trace()
    over_tokens(run)
    axes = drawings[0].axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0].startswith("77 (massive), ") and len(labels) == 8 and "massive" not in "".join(labels[1:])
    cells = axes.images[0].get_array()
    assert np.allclose(cells[0], massive_values.of_channel(of_block(run), "profile", CHANNEL).ravel())


def test_the_profile_is_drawn_token_by_token_with_its_borders(drawings):
    run = trace()
    along_tokens(run)
    axes = drawings[0].axes[0]
    (steps,) = [patch for patch in axes.patches if type(patch).__name__ == "StepPatch"]
    assert np.allclose(steps.get_data().values, massive_values.of_channel(of_block(run), "profile", CHANNEL).ravel())
    borders = sorted(line.get_xdata()[0] for line in axes.lines)
    assert borders == [24 * frame - 0.5 for frame in range(1, 5)]
    assert "Channel 77 (massive)" in drawings[0]._suptitle.get_text()


def test_the_steps_are_drawn_by_region(drawings):
    run = trace()
    over_steps(run)
    magnitude, quotient = drawings[0].axes
    _, values = massive_values.over_steps(run.select(None, None, {2}), CHANNEL)
    for i, name in enumerate(massive_values.REGIONS):
        assert magnitude.lines[i].get_label() == name and np.allclose(magnitude.lines[i].get_ydata(), values[:, i])
    assert np.allclose(quotient.lines[0].get_ydata(), values[:, 1] / values[:, 2])


def test_an_empty_interior_leaves_a_gap_instead_of_failing(drawings):
    run = trace(percent=50.0)
    over_steps(run)
    along_tokens(run)
    assert "-" in report(run).split("found in blocks")[1]


def test_pyplot_is_never_imported():
    over_tokens(trace())
    assert "matplotlib.pyplot" not in sys.modules
