"""Traces that are saved, loaded, paired and drawn, as nodes on a tiny network."""

import folder_paths
import pytest
import torch
from families import sample

from pack.nodes.frame_attention import FrameAttentionNode
from pack.nodes.load_trace import LoadTraceNode
from pack.nodes.save_trace import SaveTraceNode
from pack.nodes.spectral_transport_homeostasis import SpectralTransportHomeostasisNode
from pack.nodes.tension_heatmap import TensionHeatmapNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.nodes.trace_info import TraceInfoNode
from pack.py.core.errors import TemporalAttentionError


def run(node, **given):
    """What a fresh node in the editor returns, but for what is given; optional inputs stay open."""
    values = {i.id: i.default for i in node.define_schema().inputs if hasattr(i, "default") and i.id not in given}
    return node.execute(**values, **given).args


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    """The host's folders, empty."""
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path / "output"))
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path / "temp"))
    return tmp_path


@pytest.fixture(scope="module")
def traced(tiny, model):
    """{name: (trace, latent)} of a run without and one with STH, two samples each."""
    with torch.inference_mode():
        (treated,) = run(SpectralTransportHomeostasisNode, model=model, tau=2.0, layer_weight="flat")
        found = {}
        for name, patched in (("plain", model), ("sth", treated)):
            watched, trace = run(TraceAttentionNode, model=patched)
            found[name] = trace, {"samples": sample(tiny, watched, batch=2)}
        return found


def test_a_saved_trace_is_numbered_and_draws_the_same_pictures(traced, folders):
    trace, samples = traced["sth"]
    names = [run(SaveTraceNode, trace=trace, samples=samples, name="my run")[0] for _ in range(2)]
    kept = folders / "output" / "traces"
    assert names == [str(kept / f"my run_0000{i}_.safetensors") for i in (1, 2)] and len(list(kept.iterdir())) == 2
    loaded, facts = run(LoadTraceNode, name="my run_00001_")
    for node in (TensionHeatmapNode, FrameAttentionNode):
        (drawn,), (again,) = run(node, trace=trace, samples=samples), run(node, trace=loaded)
        assert torch.equal(drawn, again)
    assert run(TraceInfoNode, trace=loaded) == run(TraceInfoNode, trace=trace, samples=samples)
    for part in (
        "my run_00001_",
        "3 blocks",
        "sampler: sample_euler",
        "seed: ",
        "cfg: ",
        "SpectralTransportHomeostasis(",
        "latent: ",
    ):
        assert part in facts, facts


def test_without_a_number_the_newest_is_loaded(traced, folders):
    trace, samples = traced["plain"]
    for _ in range(11):
        run(SaveTraceNode, trace=trace, samples=samples, name="run")
    assert run(LoadTraceNode, name="run")[1].startswith("run_00011_:")
    before = LoadTraceNode.fingerprint_inputs("run")
    run(SaveTraceNode, trace=trace, samples=samples, name="run")
    assert LoadTraceNode.fingerprint_inputs("run") != before


@pytest.mark.parametrize("name", ["../run", "/etc/passwd", "a/b", "", ".hidden", "x" * 101, "a\\b", "run*"])
def test_names_that_leave_the_folder_are_refused(traced, folders, name):
    trace, samples = traced["plain"]
    for act in (lambda: run(SaveTraceNode, trace=trace, samples=samples, name=name), lambda: run(LoadTraceNode, name=name)):
        with pytest.raises(TemporalAttentionError, match="a name of letters"):
            act()
    assert not any(path.is_file() for path in folders.rglob("*"))


def test_a_name_that_is_not_there_lists_those_that_are(traced):
    trace, samples = traced["plain"]
    run(SaveTraceNode, trace=trace, samples=samples, name="plain")
    with pytest.raises(TemporalAttentionError, match=r"\(plain_00001_\), but got 'sth'"):
        run(LoadTraceNode, name="sth")


def test_a_trace_of_a_sampler_needs_its_latent(traced):
    with pytest.raises(TemporalAttentionError, match="the latent of the traced sampler at samples"):
        run(TensionHeatmapNode, trace=traced["plain"][0])
