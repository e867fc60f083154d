"""Profiles of massive activations as nodes: averaged over runs, saved, loaded and drawn, and what they say to bad input."""

from pathlib import Path

import folder_paths
import planted_channel
import pytest
import torch
from families import sample
from node_calls import run
from planted_channel import PLANTED

from pack.nodes.load_massive_profile import LoadMassiveProfileNode
from pack.nodes.massive_activation_chart import PICTURES, MassiveActivationChartNode
from pack.nodes.massive_activation_report import MassiveActivationReportNode
from pack.nodes.massive_activations import MassiveActivationsNode
from pack.nodes.save_massive_profile import SaveMassiveProfileNode
from pack.nodes.structured_activation_steering import StructuredActivationSteeringNode
from pack.py.core.errors import TemporalAttentionError

tiny, watched = planted_channel.tiny, planted_channel.watched  # fixtures


def test_runs_are_averaged_into_an_earlier_profile(tiny, model, watched):
    trace, samples, profile, _ = watched
    text, both = run(MassiveActivationReportNode, trace=trace, samples=samples, earlier=profile)
    assert both.rows == 2 * profile.rows and f"averaged over {both.rows} rows" in text
    torch.testing.assert_close(torch.tensor(both.peaks[0]), torch.tensor(profile.peaks[0]))


def test_a_trace_without_a_run_says_what_to_connect(model):
    _, trace = run(MassiveActivationsNode, model=model, boundary_percent=3.5)
    for node in (MassiveActivationReportNode, MassiveActivationChartNode):
        with pytest.raises(TemporalAttentionError, match="Connect the MODEL of the same Massive Activations node"):
            run(node, trace=trace, samples={"samples": torch.zeros(1)})


# Files


@pytest.fixture
def output(monkeypatch, tmp_path):
    """ComfyUI's output folder."""
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path


def test_a_saved_profile_is_loaded_by_name_and_steers(output, tiny, model, watched):
    (file,) = run(SaveMassiveProfileNode, profile=watched[2], name="wan_1.3b tiny")
    assert file == str(output / "massive_profiles" / "wan_1.3b tiny.safetensors") and Path(file).is_file()
    loaded, report = run(LoadMassiveProfileNode, name="wan_1.3b tiny")
    assert f"channel {PLANTED}" in report
    direct, _ = run(StructuredActivationSteeringNode, model=model, profile=watched[2])
    from_file, _ = run(StructuredActivationSteeringNode, model=model, profile=loaded)
    assert torch.equal(sample(tiny, from_file), sample(tiny, direct))


def test_a_changed_file_is_read_again(output, watched):
    assert LoadMassiveProfileNode.fingerprint_inputs("mine") == 0
    run(SaveMassiveProfileNode, profile=watched[2], name="mine")
    assert LoadMassiveProfileNode.fingerprint_inputs("mine") > 0


NAMES = ("", " ", "..", "../x", "a/b", "a\\b", "/etc/passwd", "C:x", "x\0", ".hidden", "trailing.", "a" * 101)


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_that_are_no_plain_file_names_are_refused(output, watched, name):
    for node, given in ((SaveMassiveProfileNode, {"profile": watched[2]}), (LoadMassiveProfileNode, {})):
        with pytest.raises(TemporalAttentionError, match="without a folder"):
            run(node, name=name, **given)
    assert not list(output.iterdir())


def test_a_name_that_is_not_there_lists_those_that_are(output, watched):
    with pytest.raises(TemporalAttentionError, match=r"none yet.*'mine'"):
        run(LoadMassiveProfileNode, name="mine")
    run(SaveMassiveProfileNode, profile=watched[2], name="other")
    with pytest.raises(TemporalAttentionError, match=r"\(other\).*'mine'"):
        run(LoadMassiveProfileNode, name="mine")


def test_a_damaged_file_is_refused(output):
    (output / "massive_profiles").mkdir()
    (output / "massive_profiles" / "mine.safetensors").write_bytes(b"PK\3\4 something else")
    with pytest.raises(TemporalAttentionError, match="mine.safetensors, which is damaged"):
        run(LoadMassiveProfileNode, name="mine")


# Pictures


@pytest.mark.parametrize("picture", PICTURES)
def test_charts(watched, temporary_folder, picture):
    trace, samples, *_ = watched
    (image,) = run(MassiveActivationChartNode, trace=trace, samples=samples, picture=picture)
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and list(temporary_folder.iterdir())


def test_a_chart_of_what_was_not_kept_says_what_was(watched):
    trace, samples, *_ = watched
    with pytest.raises(TemporalAttentionError, match="recorded block.*block 9"):
        run(MassiveActivationChartNode, trace=trace, samples=samples, block=9)
    with pytest.raises(TemporalAttentionError, match=rf"strongest channels of block 1.*{PLANTED}, .*channel 500"):
        run(MassiveActivationChartNode, trace=trace, samples=samples, block=1, channel=500)
    with pytest.raises(TemporalAttentionError, match="steps 0-2"):
        run(MassiveActivationChartNode, trace=trace, samples=samples, steps="7")
