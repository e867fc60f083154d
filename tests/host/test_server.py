"""The pack in a real ComfyUI server, driven over its API: the demo workflow, caches, several runs, bad input, interrupt."""

import copy
import io
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tools.client import Client, PromptError
from tools.server import Server

ROOT = Path(__file__).resolve().parents[2]
DEMO = json.loads((ROOT / "example_workflows" / "api" / "Spectral Transport Homeostasis.json").read_text())
STH, TRACE, TREATED = "5", "6", "8"
HEATMAP, REPORT, CLIPS = "18", "21", "13"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), cpu=True) as running:
        yield running


@pytest.fixture
def client(server):
    return Client(server.url)


def demo(**changes):
    """The demo prompt with inputs changed: demo(n8={"seed": 3})."""
    prompt = copy.deepcopy(DEMO)
    for node, inputs in changes.items():
        prompt[node[1:]]["inputs"].update(inputs)
    return prompt


def run(client, prompt):
    """(outputs by node, ids of nodes that were taken from the cache)."""
    history = client.follow(client.queue(prompt))
    cached = next(data["nodes"] for kind, data in history["status"]["messages"] if kind == "execution_cached")
    by_node = {}
    for output in client.outputs(history):
        by_node.setdefault(output.node, output.content)
    return by_node, set(cached)


def both(file):
    """Frames of the baseline and of the treated clip, which stand side by side with a gap of 4 pixels, enlarged or not."""
    frames = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(file)))])
    clip, gap = 64 * frames.shape[2] // 132, 4 * frames.shape[2] // 132
    assert frames.shape == (33, clip, 2 * clip + gap, 3)
    return frames[:, :, :clip], frames[:, :, clip + gap :]


def test_every_node_is_registered_and_the_log_is_clean(server):
    assert {c["class_type"] for c in DEMO.values() if c["class_type"].startswith("TA_")} <= set(server.pack_nodes())
    log = server.log.read_text()
    assert "Cannot import" not in log and "IMPORT FAILED" not in log
    assert not [line for line in log.splitlines() if "WARNING" in line and "temporal" in line.lower()]


def test_the_demo_workflow_from_start_to_end(client):
    outputs, _ = run(client, demo())
    assert outputs[CLIPS][:4] == b"RIFF", "animated WEBP"
    for node in ("18", "19", "20"):
        assert outputs[node][:8] == b"\x89PNG\r\n\x1a\n"
    assert not np.array_equal(*both(outputs[CLIPS])), "the treated clip differs from the baseline"
    report = outputs[REPORT]
    assert "SpectralTransportHomeostasis acted on 120 calls, 20 of 20 steps, blocks 0-5" in report
    assert "newest traced run" not in report


def test_a_second_run_is_cached_and_shows_the_same(client):
    first, _ = run(client, demo())
    second, cached = run(client, demo())
    assert cached == set(DEMO)
    assert second[HEATMAP] == first[HEATMAP] and second[REPORT] == first[REPORT]


def test_a_new_view_of_a_cached_run_draws_that_run(client):
    first, _ = run(client, demo())
    run(client, demo(n8={"seed": 99}))
    third, cached = run(client, demo(n14={"quantity": "gamma"}))
    assert third[HEATMAP] != first[HEATMAP] and third[REPORT] == first[REPORT]
    assert "14" not in cached


def test_two_samplers_on_one_traced_model_get_their_own_pictures(client):
    prompt = demo()
    prompt["s"] = copy.deepcopy(prompt[TREATED])
    prompt["s"]["inputs"]["steps"] = 5
    prompt["i"] = {"class_type": "TA_TraceInfo", "inputs": {"trace": [TRACE, 1], "samples": ["s", 0], "active_threshold": 0.03}}
    prompt["p"] = {"class_type": "PreviewAny", "inputs": {"source": ["i", 0]}}
    outputs, _ = run(client, prompt)
    assert "5 of 5 steps" in outputs["p"] and "20 of 20 steps" in outputs[REPORT]
    assert "newest" not in outputs["p"] + outputs[REPORT]


def test_a_trace_survives_that_the_host_forgets_its_node(client):
    """Another trace node with the same settings stands for the evicted one: the run is found by the sampler's latent."""
    prompt = demo(n8={"seed": 5})
    first, _ = run(client, prompt)
    prompt["again"] = prompt[TRACE]
    prompt["17"]["inputs"]["trace"] = ["again", 1]
    second, cached = run(client, prompt)
    assert TREATED in cached and second[REPORT] == first[REPORT]


def test_tau_0_gives_the_baseline_s_very_pixels(client):
    exact = {"n12": {"scale_by": 1.0}, "n13": {"lossless": True}}
    neutral, _ = run(client, demo(n5={"tau": 0.0}, **exact))
    treated, _ = run(client, demo(**exact))
    assert np.array_equal(*both(neutral[CLIPS]))
    assert not np.array_equal(*both(treated[CLIPS]))


@pytest.mark.parametrize(
    "change,said",
    [
        ({"n5": {"blocks": "4-2"}}, "such as 0-9, 12"),
        ({"n5": {"blocks": "0-40"}}, "from 0 to 5"),
        ({"n5": {"start_percent": 0.9, "end_percent": 0.1}}, "start <= end"),
        ({"n6": {"blocks": "7"}}, "from 0 to 5"),
        ({"n16": {"steps": "50"}}, "steps 0-19"),
    ],
)
def test_bad_input_is_explained_and_harms_nothing_else(client, change, said):
    with pytest.raises(PromptError, match=said):
        run(client, demo(**change))
    outputs, _ = run(client, demo())
    assert not np.array_equal(*both(outputs[CLIPS]))


@pytest.mark.parametrize("tau", [7.0, -1.0, "much"])
def test_values_out_of_range_are_refused_before_anything_runs(client, tau):
    with pytest.raises(PromptError, match=r"refused[\s\S]*TA_SpectralTransportHomeostasis[\s\S]*tau"):
        client.queue(demo(n5={"tau": tau}))


def test_a_trace_that_no_sampler_used_is_explained(client):
    prompt = demo(n6={"estimator": "pooled"})
    prompt[TREATED]["inputs"]["model"] = [STH, 0]
    with pytest.raises(PromptError, match="Connect the MODEL of the same Trace Attention node"):
        run(client, prompt)


def test_interrupt_stops_within_a_step_and_the_next_prompt_is_clean(client):
    before, _ = run(client, demo())
    long = client.queue(demo(n8={"steps": 2000, "seed": 1}))
    stopper = threading.Timer(3.0, client.interrupt, [long])
    stopper.start()
    started = time.monotonic()
    with pytest.raises(PromptError, match="Interrupted"):
        client.follow(long)
    assert time.monotonic() - started < 30
    after, _ = run(client, demo(n7={"seed": 8}, n8={"seed": 8}))
    assert not np.array_equal(*both(after[CLIPS])) and after[HEATMAP] != before[HEATMAP]
