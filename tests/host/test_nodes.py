"""The nodes as the host sees them: schemas, texts, what they return, and what they say to bad input."""

import inspect
import json
import re
from pathlib import Path

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from families import sample
from node_calls import defaults, run

from pack.nodes import _inputs as shared
from pack.nodes.frame_attention import FrameAttentionNode
from pack.nodes.spectral_transport_homeostasis import SpectralTransportHomeostasisNode
from pack.nodes.tension_heatmap import TensionHeatmapNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.nodes.trace_info import TraceInfoNode
from pack.py.core.errors import TemporalAttentionError
from tools.signatures import node_classes

ROOT = Path(__file__).resolve().parents[2]
LOCALES = ROOT / "locales"
LANGUAGES = ("ja", "zh")
CHANGED = "a schema has changed: see locales/README.md"

NODES = node_classes()


def test_every_file_in_nodes_gives_a_node():
    files = [path for path in (ROOT / "nodes").glob("*.py") if not path.name.startswith("_")]
    assert len(NODES) == len(files) == len({node.define_schema().node_id for node in NODES})


@pytest.mark.parametrize("node", NODES, ids=lambda n: n.define_schema().node_id)
def test_schema_is_complete(node):
    schema = node.GET_SCHEMA()
    assert schema.node_id.startswith("TA_") and schema.display_name and len(schema.description) > 40 and schema.search_aliases
    assert schema.category.split("/")[0] == "temporal attention" and schema.category.count("/") <= 1
    for part in (*schema.inputs, *schema.outputs):
        assert part.tooltip and part.tooltip[-1] in ".?", f"{part.id} has no tooltip"
    assert node.RETURN_TYPES == [output.io_type for output in schema.outputs]
    assert not any(issubclass(node, other) for other in NODES if other is not node)


@pytest.mark.parametrize("node", NODES, ids=lambda n: n.define_schema().node_id)
def test_widgets_have_defaults_and_rarely_used_ones_are_advanced(node):
    widgets = [i for i in node.define_schema().inputs if isinstance(i, io.WidgetInput)]
    assert all(i.default is not None for i in widgets)
    assert sum(not i.advanced for i in widgets) <= 4


@pytest.mark.parametrize("node", NODES, ids=lambda n: n.define_schema().node_id)
def test_optional_inputs_may_stay_open(node):
    """The host leaves out what is not connected."""
    taken = inspect.signature(node.execute).parameters
    open_ones = [part.id for part in node.define_schema().inputs if part.optional]
    assert all(taken[id].default is not inspect.Parameter.empty for id in open_ones)


@pytest.mark.parametrize("node", NODES, ids=lambda n: n.define_schema().node_id)
def test_the_help_page_names_every_input_and_output(node):
    schema = node.GET_SCHEMA()
    text = (ROOT / "js" / "docs" / schema.node_id / "en.md").read_text(encoding="utf-8")
    assert text.splitlines()[0] == f"# {schema.display_name}"
    before, after = text.split("## Inputs")[1].split("## Outputs")
    inputs, outputs = (set(re.findall(r"\w+", first_cells(part))) for part in (before, after))
    assert {part.id for part in schema.inputs} - inputs == set()
    assert {part.display_name or part.io_type for part in schema.outputs} - outputs == set()


def first_cells(text: str) -> str:
    """The first column of the first table of a page."""
    return "\n".join(re.findall(r"^\| ([^|]+) \|", text.split("\n#")[0], re.M))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node", NODES, ids=lambda n: n.define_schema().node_id)
def test_translations_have_the_keys_of_the_schema(node, language):
    """A dot in an id would be written as `_`, as the frontend looks it up."""
    schema = node.GET_SCHEMA()
    found = json.loads((LOCALES / language / "nodeDefs.json").read_text(encoding="utf-8"))[schema.node_id]
    assert found.keys() == {"display_name", "description", "inputs", "outputs"}, CHANGED
    assert list(found["inputs"]) == [part.id.replace(".", "_") for part in schema.inputs], CHANGED
    assert list(found["outputs"]) == [str(number) for number in range(len(schema.outputs))], CHANGED
    texts = [found["display_name"], found["description"]]
    for part in (*found["inputs"].values(), *found["outputs"].values()):
        assert part.keys() == {"name", "tooltip"}, CHANGED
        texts += part.values()
    assert all(texts) and not set("{}|@") & set("".join(texts)), "to the frontend's translator these are commands"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_know_no_other_nodes_and_all_categories(language):
    nodes, main = (json.loads((LOCALES / language / f"{name}.json").read_text(encoding="utf-8")) for name in ("nodeDefs", "main"))
    assert nodes.keys() == {node.define_schema().node_id for node in NODES}, CHANGED
    assert main["nodeCategories"].keys() == {part for node in NODES for part in node.define_schema().category.split("/")}


def test_homeostasis_at_defaults_acts_and_at_0_does_not(tiny, model):
    plain = sample(tiny, model)
    (strong,) = run(SpectralTransportHomeostasisNode, model=model, tau=2.0)
    (off,) = run(SpectralTransportHomeostasisNode, model=model, tau=0.0)
    assert not torch.equal(sample(tiny, strong), plain) and torch.equal(sample(tiny, off), plain)


def test_settings_reach_the_technique(model):
    (patched,) = run(
        SpectralTransportHomeostasisNode, model=model, tau=0.5, per_head=True, start_percent=0.1, end_percent=0.6, blocks="0-1",
        branch="cond only", estimator="exact", rows=9, layer_weight="flat", step_weight="noise level", rule="output gain",
    )  # fmt: skip
    (technique,) = patched.model_options["transformer_options"]["temporal_attention"]
    assert (technique.tau, technique.rule, technique.per_head) == (0.5, "output gain", True)
    assert (technique.window.start, technique.window.end, technique.where.blocks) == (0.1, 0.6, {0, 1})
    assert (technique.estimator.name, technique.estimator.rows, technique.branch.value) == ("exact", 9, "cond")
    assert (technique.layer_weight, technique.step_weight) == ("flat", "noise level")


@pytest.fixture(scope="module")
def traced(tiny, model):
    """(trace, latent) of a run."""
    with torch.inference_mode():
        (treated,) = run(SpectralTransportHomeostasisNode, model=model, tau=1.0)
        watched, trace = run(TraceAttentionNode, model=treated)
        return trace, {"samples": sample(tiny, watched)}


def test_pictures_and_report(traced, temporary_folder):
    trace, samples = traced
    for node in (TensionHeatmapNode, FrameAttentionNode):
        output = node.execute(**defaults(node, trace=trace, samples=samples))
        (image,) = output.args
        assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
        assert list(temporary_folder.iterdir()) and output.ui
    (report,) = run(TraceInfoNode, trace=trace, samples=samples)
    assert "SpectralTransportHomeostasis acted on 6 calls, 3 of 3 steps, blocks 1-2" in report, "its weight is 0 at block 0"


@pytest.mark.parametrize("tau", [float("nan"), float("inf")])
def test_tau_must_be_finite(model, tau):
    with pytest.raises(TemporalAttentionError, match="finite number for tau.*got (nan|inf)"):
        run(SpectralTransportHomeostasisNode, model=model, tau=tau)


@pytest.mark.parametrize(
    "blocks,said", [("9-3", "'9-3'"), ("a", "'a'"), ("1--2", "'1--2'"), ("0-7", "block 3, 4, 5, 6, 7"), ("3", "0 to 2")]
)
def test_bad_block_ranges_name_the_mistake(model, blocks, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(SpectralTransportHomeostasisNode, model=model, blocks=blocks)


@pytest.mark.parametrize("text,expected", [("", None), (" ", None), ("3", {3}), ("0-2, 5", {0, 1, 2, 5}), ("1 - 2,", {1, 2})])
def test_number_ranges(text, expected):
    assert shared.numbers(text, "numbers") == expected


@pytest.mark.parametrize("node", [SpectralTransportHomeostasisNode, TraceAttentionNode], ids=lambda n: n.__name__)
def test_a_model_that_is_no_video_model_is_refused(node):
    inner = torch.nn.Module()
    inner.diffusion_model = torch.nn.Linear(1, 1)
    image_model = ModelPatcher(inner, torch.device("cpu"), torch.device("cpu"))
    with pytest.raises(TemporalAttentionError, match="video model of a known family.*Wan.*network is Linear"):
        run(node, model=image_model)


def test_a_trace_without_a_run_says_what_to_connect(tiny, model):
    _, trace = run(TraceAttentionNode, model=model, rows=77)
    with pytest.raises(TemporalAttentionError, match="Connect the MODEL of the same Trace Attention node"):
        run(TensionHeatmapNode, trace=trace, samples={"samples": torch.zeros(1)})


def test_a_trace_node_that_runs_again_finds_the_same_run(traced, model):
    """The host evicts nodes that hold a MODEL first and runs them again, while the sampler's LATENT stays cached."""
    old_trace, samples = traced
    _, new_trace = run(TraceAttentionNode, model=model)
    found = shared.traced_run(new_trace, samples)
    assert found.exact and found.trace is shared.traced_run(old_trace, samples).trace


def test_start_after_end_is_refused(model):
    with pytest.raises(TemporalAttentionError, match="start 0.8, end 0.2"):
        run(SpectralTransportHomeostasisNode, model=model, start_percent=0.8, end_percent=0.2)


@pytest.mark.parametrize("node", NODES, ids=lambda n: n.define_schema().node_id)
def test_nodes_that_know_their_id_are_cached_by_it(node):
    """The host's cache would hand the result of a node, with its id in it, to another one with the same inputs."""
    schema = node.GET_SCHEMA()
    assert io.Hidden.unique_id not in schema.hidden or node.NOT_IDEMPOTENT
