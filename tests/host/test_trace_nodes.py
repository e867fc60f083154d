"""Traces that are saved, loaded, paired and drawn, as nodes on a tiny network."""

import asyncio
import json
from pathlib import Path

import folder_paths
import pytest
import torch
from comfy_execution.caching import CacheKeySetInputSignature
from comfy_execution.graph import DynamicPrompt
from execution import IsChangedCache
from families import sample
from node_calls import run

import nodes
from pack.nodes._inputs import traced_run
from pack.nodes.frame_attention import FrameAttentionNode
from pack.nodes.load_massive_profile import LoadMassiveProfileNode
from pack.nodes.load_trace import LoadTraceNode
from pack.nodes.save_trace import SaveTraceNode
from pack.nodes.spectral_transport_homeostasis import SpectralTransportHomeostasisNode
from pack.nodes.tension_dashboard import TensionDashboardNode
from pack.nodes.tension_heatmap import TensionHeatmapNode
from pack.nodes.tension_plots import TensionPlotsNode
from pack.nodes.tension_statistics import TensionStatisticsNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.nodes.trace_info import TraceInfoNode
from pack.nodes.trace_set import TraceSetNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.views.tension.plots import PLOTS


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


def test_equal_trace_nodes_on_two_networks_keep_traces_of_their_own(tiny, model):
    """Wan 2.2 samples with one network after the other: the trace of the first has no run that returned the last latent."""
    other = tiny.load()
    (first, trace), (second, same) = run(TraceAttentionNode, model=model), run(TraceAttentionNode, model=other)
    again = run(TraceAttentionNode, model=model)[1]
    start, end = sample(tiny, first, steps=2), sample(tiny, second, steps=3)
    assert trace == again != same
    assert traced_run(trace, {"samples": start}).exact and traced_run(same, {"samples": end}).exact
    assert not traced_run(trace, {"samples": end}).exact


def test_only_the_run_of_that_latent_is_kept(traced, folders):
    """Pictures say where another run stands in; a file or a set could not."""
    (trace, samples), (baseline, _) = traced["sth"], traced["plain"]
    changed = {"samples": samples["samples"] * 2}
    for act in (
        lambda: run(SaveTraceNode, trace=trace, samples=changed),
        lambda: run(TraceSetNode, trace=trace, samples=changed),
        lambda: run(TraceSetNode, trace=trace, samples=samples, baseline=baseline, baseline_samples=changed),
    ):
        with pytest.raises(TemporalAttentionError, match="no traced run returned"):
            act()
    assert not any(path.is_file() for path in folders.rglob("*"))


def test_what_save_trace_returns_can_be_connected_to_load_trace(traced, folders):
    trace, samples = traced["sth"]
    (file,) = run(SaveTraceNode, trace=trace, samples=samples, name="linked")
    assert run(LoadTraceNode, name=file)[1].startswith("linked_00001_")
    for elsewhere in (Path(file).parent.parent / "linked_00001_.safetensors", Path(file).parent / "sub" / Path(file).name):
        with pytest.raises(TemporalAttentionError, match="a name of letters"):
            run(LoadTraceNode, name=str(elsewhere))


def cache_key(node, inputs):
    """What the host's cache knows the node by in a prompt where it is number 2."""
    prompt = DynamicPrompt({
        "1": {"class_type": "TA_SaveTrace", "inputs": {"name": "run"}},
        "2": {"class_type": node.define_schema().node_id, "inputs": inputs},
    })  # fmt: skip
    keys = CacheKeySetInputSignature(prompt, ["2"], IsChangedCache("prompt", prompt, None))
    asyncio.run(keys.add_keys(["2"]))
    return keys.get_data_key("2")


@pytest.mark.parametrize("node, inputs, linked", [
    (LoadTraceNode, {"name": "run"}, "name"),
    (LoadMassiveProfileNode, {"name": "run"}, "name"),
    (TraceSetNode, {"saved": "run_*", "saved_baselines": ""}, "saved"),
    (TraceSetNode, {"saved": "run_*", "saved_baselines": "run_*"}, "saved_baselines"),
], ids=["trace", "profile", "set", "baselines"])  # fmt: skip
def test_a_linked_name_is_read_in_every_run(traced, monkeypatch, node, inputs, linked):
    """The host does not tell what comes over a link, so a file that was replaced could not be noticed."""
    trace, samples = traced["plain"]
    run(SaveTraceNode, trace=trace, samples=samples, name="run")
    for known in (SaveTraceNode, node):
        monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, known.define_schema().node_id, known)
    typed, over_a_link = inputs, {**inputs, linked: ["1", 0]}
    assert cache_key(node, typed) == cache_key(node, typed)
    assert cache_key(node, over_a_link) != cache_key(node, over_a_link)


def test_frame_attention_draws_films_and_changes(traced):
    (trace, samples), (baseline, baseline_samples) = traced["sth"], traced["plain"]
    given = {"trace": trace, "samples": samples, "when": "after"}
    (film,) = run(FrameAttentionNode, **given, layout="film")
    assert film.shape[0] == 3 and film.shape[2:] == (1024, 3)
    (drawn,) = run(FrameAttentionNode, **given)
    (changed,) = run(FrameAttentionNode, **given, baseline=baseline, baseline_samples=baseline_samples)
    assert changed.shape[0] == 1 and not torch.equal(drawn, changed)


def test_heads_are_kept_and_drawn_where_they_are_wanted(tiny, model, traced):
    watched, trace = run(TraceAttentionNode, model=model, head_blocks="1-2", head_steps="0, 2")
    samples = {"samples": sample(tiny, watched)}
    (drawn,) = run(FrameAttentionNode, trace=trace, samples=samples, heads="0")
    (mean,) = run(FrameAttentionNode, trace=trace, samples=samples)
    assert drawn.shape[2:] == (1024, 3) and not torch.equal(drawn, mean)
    with pytest.raises(TemporalAttentionError, match="in the chosen blocks"):
        run(FrameAttentionNode, trace=trace, samples=samples, heads="0", steps="1")
    with pytest.raises(TemporalAttentionError, match="head_blocks of Trace Attention"):
        run(FrameAttentionNode, trace=traced["plain"][0], samples=traced["plain"][1], heads="0")


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


@pytest.fixture
def saved(traced):
    """Three runs of each kind, saved under two names."""
    for _ in range(3):
        for name, (trace, samples) in traced.items():
            run(SaveTraceNode, trace=trace, samples=samples, name=name)


def test_saved_traces_are_paired_by_what_the_star_stands_for(saved, traced):
    videos, names = run(TraceSetNode, saved="sth_*", saved_baselines="plain_*")
    assert names.splitlines() == [f"sth_0000{i}_ {sample}" for i in (1, 2, 3) for sample in (0, 1)]
    assert not videos.own_baseline and len(videos.videos) == 6
    (trace, samples), (baseline, baseline_samples) = traced["sth"], traced["plain"]
    connected, _ = run(
        TraceSetNode, trace=trace, samples=samples, baseline=baseline, baseline_samples=baseline_samples, earlier=videos
    )
    assert len(connected.videos) == 8
    for one, other in zip(connected.videos[6:], videos.videos[:2], strict=True):
        assert (one.treated.values["T"] == other.treated.values["T"]).all()
        assert (one.baseline.values["T"] == other.baseline.values["T"]).all()


def test_one_saved_trace_may_be_named(saved):
    assert run(TraceSetNode, saved="sth_00002_")[1].splitlines() == ["sth_00002_ 0", "sth_00002_ 1"]
    assert run(TraceSetNode, saved="*th_00002_", saved_baselines="")[0].own_baseline


def test_a_set_changes_when_a_trace_is_saved(saved, traced):
    before = TraceSetNode.fingerprint_inputs("sth_*", "plain_*", branch="cond and uncond")
    trace, samples = traced["sth"]
    run(SaveTraceNode, trace=trace, samples=samples, name="sth")
    assert TraceSetNode.fingerprint_inputs("sth_*", "plain_*") != before
    with pytest.raises(TemporalAttentionError, match=r"none for \* = 00004_"):
        run(TraceSetNode, saved="sth_*", saved_baselines="plain_*")


@pytest.mark.parametrize(
    "saved_as,said", [("nothing_*", "matches a trace"), ("../*", "a name of letters"), ("", "Enter a name pattern")]
)
def test_patterns_without_traces_are_refused(saved, saved_as, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(TraceSetNode, saved=saved_as)


def test_plots_of_a_run_a_pair_and_a_set(saved, traced, folders):
    videos, _ = run(TraceSetNode, saved="sth_*", saved_baselines="plain_*")
    (trace, samples), (baseline, baseline_samples) = traced["sth"], traced["plain"]
    pair = {"trace": trace, "samples": samples, "baseline": baseline, "baseline_samples": baseline_samples}
    for figure in PLOTS:
        (image,) = run(TensionPlotsNode, trace=videos, figure=figure)
        assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
    (light,), (dark,) = (run(TensionPlotsNode, **pair, theme=theme) for theme in ("light", "dark"))
    assert light.median() > 0.9 and dark.median() < 0.1 and list((folders / "temp").iterdir())
    run(TensionPlotsNode, trace=trace, samples=samples)


def test_statistics_and_dashboard_of_a_run_a_pair_and_a_set(saved, traced):
    videos, _ = run(TraceSetNode, saved="sth_*", saved_baselines="plain_*")
    (trace, samples), (baseline, baseline_samples) = traced["sth"], traced["plain"]
    pair = {"baseline": baseline, "baseline_samples": baseline_samples}
    for given, count in (
        ({"trace": videos}, 6),
        ({"trace": trace, "samples": samples}, 2),
        ({"trace": trace, "samples": samples, **pair}, 2),
    ):
        table, csv, facts = run(TensionStatisticsNode, **given)
        assert table.startswith(f"{count} videos") and json.loads(facts)["videos"] == count and csv.count("\n") == 14
        assert ("no p-value" in table) == (count < 6)
    for given in ({"trace": videos}, {"trace": trace, "samples": samples, "theme": "dark"}):
        (image,) = run(TensionDashboardNode, **given)
        assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
    with pytest.raises(TemporalAttentionError, match="Give the baselines to the Trace Set node"):
        run(TensionStatisticsNode, trace=videos, baseline=baseline)
