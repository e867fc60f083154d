"""Live previews of a traced run: what the host is given to send, to whom, and when nothing is."""

from dataclasses import replace

import comfy.model_management
import pytest
import torch
from comfy_api.latest import io
from comfy_execution import progress
from comfy_execution.graph import DynamicPrompt
from families import sample

from pack.nodes.trace_attention import TraceAttentionNode
from pack.py.core.live import Live
from pack.py.core.store import RUNS
from pack.py.host import live
from pack.py.host.attach import attach
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.views.live_heatmap import LiveHeatmap

PREVIEW = progress.BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA
NODE, SAMPLER, STEPS = "5:1", "7", 4
RECORDER = FrameAttentionRecorder(live=Live(NODE, LiveHeatmap))


class Server:
    """What previews need of the host's server. It has a browser, "tab"; `client_id` says who queued the prompt."""

    def __init__(self, client_id, shows_previews=True):
        self.client_id, self.sent = client_id, []
        self.sockets_metadata = {"tab": {"feature_flags": {"supports_preview_metadata": shows_previews}}}

    def send_sync(self, event, data, sid):
        self.sent.append((event, data, sid))

    @property
    def previews(self):
        return [(data, sid) for event, data, sid in self.sent if event is PREVIEW]


@pytest.fixture
def serve(monkeypatch):
    """Starts a prompt of a server as the host does, with a picture after every step."""
    monkeypatch.setattr(progress, "global_progress_registry", None)
    monkeypatch.setattr(live, "INTERVAL", 0.0)

    def start(*args):
        server = Server(*args)
        progress.reset_progress_state("prompt", DynamicPrompt({"5": {}, SAMPLER: {}}))
        progress.add_progress_handler(progress.WebUIProgressHandler(server))
        return server

    return start


def test_each_step_is_shown_under_the_node_that_records(tiny, model, serve):
    server = serve("tab")
    sample(tiny, attach(model, RECORDER), steps=STEPS)
    assert len(server.previews) == STEPS
    for (image, about), sid in server.previews:
        assert (about["node_id"], about["display_node_id"], about["prompt_id"], sid) == (NODE, NODE, "prompt", "tab")
        assert image[0] == "PNG" and image[1].mode == "RGB"
    pictures = [image[1].tobytes() for (image, _), _ in server.previews]
    assert len(set(pictures)) == STEPS, "it fills up"
    states = [data["nodes"] for event, data, _ in server.sent if event == "progress_state"]
    assert not any(NODE in nodes for nodes in states), "the sampler executes, not the node that records"


def test_the_last_picture_is_the_whole_trace(tiny, model, serve):
    server = serve("tab")
    latent = sample(tiny, attach(model, RECORDER), steps=STEPS)
    trace = RUNS.find(latent, RECORDER).trace
    whole = LiveHeatmap(trace.blocks)
    whole.add(trace.records)
    assert server.previews[-1][0][0][1].tobytes() == whole.draw().tobytes()


def test_few_pictures_a_second_but_always_the_last(tiny, model, serve, monkeypatch):
    monkeypatch.setattr(live, "INTERVAL", 3600.0)
    server = serve("tab")
    sample(tiny, attach(model, RECORDER), steps=STEPS)
    assert len(server.previews) == 2


class Unwanted:
    """A picture that nobody asks for."""

    def __init__(self, blocks):
        pytest.fail("drawn for nobody")


@pytest.mark.parametrize("client", [(None,), ("a script",), ("tab", False)], ids=["nobody", "script", "old browser"])
def test_nothing_is_drawn_nor_sent_where_no_browser_waits(tiny, model, serve, client):
    server = serve(*client)
    sample(tiny, attach(model, replace(RECORDER, live=Live(NODE, Unwanted))))
    assert not server.sent


def test_nothing_is_drawn_without_a_server(tiny, model, monkeypatch):
    monkeypatch.setattr(progress, "global_progress_registry", None)
    sample(tiny, attach(model, replace(RECORDER, live=Live(NODE, Unwanted))))


def test_it_changes_neither_video_nor_trace(tiny, model, serve):
    serve("tab")
    plain = FrameAttentionRecorder(entropy_rows=4)
    latents = [sample(tiny, attach(model, r)) for r in (plain, replace(plain, live=Live(NODE, LiveHeatmap)))]
    assert torch.equal(*latents) and torch.equal(latents[0], sample(tiny, model))
    assert RUNS.find(latents[0], replace(plain, live=Live("9", LiveHeatmap))).exact


def test_two_nodes_with_equal_settings_record_once_and_are_both_shown(tiny, model, serve):
    server = serve("tab")
    sample(tiny, attach(model, RECORDER, replace(RECORDER, live=Live("6", LiveHeatmap))), steps=STEPS)
    shown = [about["node_id"] for (_, about), _ in server.previews]
    assert sorted(shown) == sorted([NODE, "6"] * STEPS)


def test_an_interrupt_leaves_nothing_to_show(tiny, model, serve):
    def interrupt(step, *_):
        if step == 1:
            comfy.model_management.interrupt_current_processing()
            comfy.model_management.throw_exception_if_processing_interrupted()

    server = serve("tab")
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(tiny, attach(model, RECORDER), steps=STEPS, callback=interrupt)
    assert len(server.previews) == 1
    again = serve("tab")
    sample(tiny, attach(model, RECORDER), steps=STEPS)
    assert len(again.previews) == STEPS and len(server.previews) == 1


def test_the_node_shows_itself(model):
    hidden = {"hidden_inputs": {io.Hidden.unique_id: NODE}}
    node = TraceAttentionNode.PREPARE_CLASS_CLONE(hidden)
    values = {i.id: i.default for i in TraceAttentionNode.define_schema().inputs if hasattr(i, "default")}
    recorder = node.execute(model=model, **values).args[1]
    assert recorder.live == Live(NODE, LiveHeatmap)
    assert TraceAttentionNode.execute(model=model, **values).args[1].live is None, "called by a script"
