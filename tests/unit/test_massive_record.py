"""The massive-activation recorder on hand-made blocks: what it keeps equals a naive reference, and it stays small."""

import numpy as np
import pytest
import reference_activations as reference
import torch
from events import COND, UNCOND, block, forward
from reference import double

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import CallNotes
from pack.py.core.trace import to_records
from pack.py.techniques.massive_record import MOST_VALUES, MassiveActivationRecorder, bins


def call(frames=3, height=5, width=5, channels=12, planted=(), dtype=torch.float32):
    made = block(1, channels, forward((UNCOND, COND), frames, height, width))
    x = made.x.clone()
    for channel, value in planted:
        x[..., channel] += value
    return made.edit(x=x.to(dtype))


def recorded(given, **settings):
    """The records of one block, one a row."""
    recorder = MassiveActivationRecorder(**settings)
    return to_records(recorder.digest([CallNotes(given.site, given.forward, recorder.block_seen(given))]))


def test_it_keeps_a_record_for_each_row_with_the_peaks_of_all_channels():
    given = call()
    first, second = recorded(given)
    assert (first.branch, second.branch) == (UNCOND, COND) and first.site == given.site
    for row, record in enumerate((first, second)):
        assert np.allclose(record.values["peaks"], np.abs(double(given.x[row])).max(0), rtol=1e-6)


def test_the_strongest_channels_come_first_and_no_more_than_eight():
    given = call(planted=((5, 300.0), (9, -40.0)))
    for record in recorded(given):
        assert record.values["strongest"][:2].tolist() == [5, 9] and len(record.values["strongest"]) == 8
    assert len(recorded(call(channels=3))[0].values["strongest"]) == 3


def test_profiles_are_magnitudes_along_the_tokens():
    given = call(planted=((5, 300.0),))
    (record, _) = recorded(given)
    profile = record.values["profile"]
    assert profile.shape == (8, 3, 25)
    for i, channel in enumerate(record.values["strongest"].astype(int)):
        assert np.allclose(profile[i].ravel(), np.abs(double(given.x[0, :, channel])), rtol=1e-5)


@pytest.mark.parametrize("percent", [0.0, 8.0, 50.0])
def test_regions_equal_the_reference(percent):
    given = call()
    at = np.array([reference.region(token, 25, percent) for token in range(75)])
    for row, record in enumerate(recorded(given, percent=percent)):
        for i, channel in enumerate(record.values["strongest"].astype(int)):
            values = np.abs(double(given.x[row, :, channel]))
            for group in range(3):
                highest, mean = record.values["region.peaks"][i, group], record.values["region.means"][i, group]
                if (at == group).any():
                    assert highest == pytest.approx(values[at == group].max(), rel=1e-6)
                    assert mean == pytest.approx(values[at == group].mean(), rel=1e-5)
                else:
                    assert np.isnan(highest) and np.isnan(mean)


@pytest.mark.parametrize("frames,spatial", [(2, 4), (21, 1560), (33, 3600), (129, 400), (5000, 100)])
def test_profiles_are_bounded(frames, spatial):
    count = bins(frames, spatial, 8)
    assert 1 <= count <= spatial and (8 * frames * count <= MOST_VALUES or count == 1)


def test_a_long_video_is_pooled():
    given = call(frames=20, height=20, width=20)
    (record, _) = recorded(given)
    profile = record.values["profile"]
    assert profile.shape == (8, 20, 25) and profile.size <= MOST_VALUES
    wanted = np.abs(double(given.x[0, :, int(record.values["strongest"][0])])).reshape(20, 25, 16).mean(-1)
    assert np.allclose(profile[0], wanted, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_measured_without_further_loss(dtype):
    given = call(dtype=dtype)
    (record, _) = recorded(given)
    assert np.array_equal(record.values["peaks"], np.abs(double(given.x[0])).max(0).astype(np.float32))


def test_looking_changes_nothing_and_there_is_nothing_to_see_in_attention():
    given = call()
    kept = given.x.clone()
    recorder = MassiveActivationRecorder()
    recorder.block_seen(given)
    assert torch.equal(given.x, kept) and recorder.block(given) is given
    assert recorder.has("block_seen") and not recorder.has("seen") and not recorder.has("block")


def test_rows_of_one_branch_are_noted_as_such():
    given = call()
    part = given.edit(x=given.x[1:], rows=(1,))
    notes = MassiveActivationRecorder().block_seen(part)
    assert all(note.rows == (1,) and len(note.value) == 1 for note in notes)


@pytest.mark.parametrize("percent", [-0.1, 51.0, float("nan")])
def test_a_bad_percent_is_named(percent):
    with pytest.raises(TemporalAttentionError, match="0 to 50"):
        MassiveActivationRecorder(percent=percent)
