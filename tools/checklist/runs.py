"""Points 28 to 30: what happens while and after a prompt runs."""

import asyncio
import copy
import json
import struct
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from tools import ROOT
from tools.checklist.point import expect, expect_none, point
from tools.checklist.workbench import Workbench
from tools.client import Client, Prompt, PromptError
from tools.examples.recipe import filled_node

STH, TRACE, BASELINE = "5", "6", "7"  # in the example of that name
EXAMPLE, BLUEPRINT = "Spectral Transport Homeostasis", "Baseline against STH"
STEPS, MANY_STEPS = 3, 2000
PREVIEW = 4  # the host's number for a picture with facts about it
SLACK = 2.0  # seconds for the server's own work
OFF = {  # node -> inputs with which it must change nothing
    "TA_SpectralTransportHomeostasis": {"tau": 0.0},
    "TA_TemporalAttentionRegularization": {"strength": 0.0},
    "TA_StructuredActivationSteering": {"strength": 0.0, "channels": "121"},
    "TA_EntropyGuidance": {"scale": 0.0},
    "TA_AttentionPerturbation": {"strength": 0.0},
    "TA_ActivationProbe": {"action": "amplify", "factor": 1.0, "channels": "121"},
    "TA_TraceAttention": {},
    "TA_MassiveActivations": {},
}


@point(28, "live previews reach the node that made them, in subgraphs too")
def live_previews(bench: Workbench) -> str:
    subgraph = json.loads((ROOT / "tests" / "host" / "blueprints" / f"{BLUEPRINT}.json").read_text(encoding="utf-8"))
    shown = {}
    for name, prompt in (("graph", bench.prompts[EXAMPLE]), ("subgraph", subgraph)):
        prompt = _changed(prompt, steps=STEPS + 5, seed=28)
        nodes = asyncio.run(_previewed(Client(bench.server.url), prompt))
        shown[name] = sorted(id for id in nodes if id in prompt and prompt[id]["class_type"].startswith("TA_"))
        expect(bool(shown[name]), f"no preview of a node of this pack in a {name}; previews of {sorted(nodes)}")
    expect(all(":" in id for id in shown["subgraph"]), f"in a subgraph they came for {shown['subgraph']}")
    _run_without_client(bench, _changed(bench.prompts[EXAMPLE], steps=STEPS, seed=29))
    return f"for node {', '.join(shown['graph'])}, in a subgraph {', '.join(shown['subgraph'])}; without a client no error"


@point(29, "an interrupt ends the run within a step, and the next one is clean")
def interrupt(bench: Workbench) -> str:
    before = _clips(bench, _changed(bench.prompts[EXAMPLE], steps=STEPS))
    client, times = Client(bench.server.url), []
    number = client.queue(_changed(bench.prompts[EXAMPLE], steps=MANY_STEPS, seed=1))

    def stop_after_a_few(node: str, step: float, steps: float) -> None:
        if steps == MANY_STEPS:
            times.append(time.monotonic())
            if step == STEPS:
                client.interrupt(number)

    try:
        client.follow(number, stop_after_a_few)
        raise AssertionError("it went on to its end")
    except PromptError as error:
        expect("Interrupted" in str(error), str(error))
    took, step = time.monotonic() - times[STEPS - 1], max(b - a for a, b in zip(times, times[1:STEPS], strict=False))
    expect(took < step + SLACK, f"{took:.1f} s after the interrupt; a step takes {step:.1f} s")
    again = _clips(bench, _changed(bench.prompts[EXAMPLE], steps=STEPS))
    expect(before == again, "the next run is not what it was before")
    return f"stopped {took:.2f} s after the interrupt, a step takes up to {step:.2f} s; the next run gives the same bytes"


@point(30, "off, bypassed or neutral is bit-identical; the same prompt twice is cached")
def neutral(bench: Workbench) -> str:
    prompt = _all_off(bench)
    pictures, cached = _run(bench, prompt)
    wrong = [prompt[id]["_meta"]["title"] for id, files in pictures.items() if files != pictures["plain picture"]]
    expect_none(wrong, "change the picture though they are off")
    _, cached = _run(bench, prompt)
    expect_none(prompt.keys() - cached, "nodes ran again")
    by_frontend = _changed(bench.seen["bypassed"], steps=STEPS)
    expect(STH not in by_frontend, "the frontend did not leave out the bypassed node")
    by_hand = _changed(bench.prompts[EXAMPLE], steps=STEPS)
    by_hand[TRACE]["inputs"]["model"] = by_hand.pop(STH)["inputs"]["model"]
    expect(_clips(bench, by_frontend) == _clips(bench, by_hand), "bypassed is not as without the node")
    return f"{len(OFF)} nodes off: the baseline's pixels; bypass as without; {len(prompt)} nodes cached the second time"


def _changed(prompt: Prompt, **inputs: Any) -> Prompt:
    """With other values, wherever a node has such an input as a value, or as the value of a primitive of that name."""
    prompt = copy.deepcopy(prompt)
    for node in prompt.values():
        title = node["_meta"]["title"]
        if title in inputs and "value" in node["inputs"]:
            node["inputs"]["value"] = inputs[title]
        node["inputs"] |= {name: value for name, value in inputs.items() if isinstance(node["inputs"].get(name), int | float)}
    return prompt


def _all_off(bench: Workbench) -> Prompt:
    """The first frames of a baseline, and of the same seed with each node that is off."""
    base = _changed(bench.prompts[EXAMPLE], steps=STEPS)
    prompt = {id: base[id] for id in ("1", "2", "3", "4")}
    models = {"plain": ["1", 0]}
    for kind, inputs in OFF.items():
        values = filled_node(inputs | {"model": ["1", 0]}, bench.own[kind])
        prompt[kind] = {"class_type": kind, "inputs": values, "_meta": {"title": kind}}
        models[kind] = [kind, 0]
    for name, model in models.items():
        sampler = {**base[BASELINE]["inputs"], "model": model}
        decoder = {"samples": [f"{name} sampler", 0], "vae": ["1", 2]}
        for part, kind, inputs in (
            ("sampler", "KSampler", sampler),
            ("decoder", "VAEDecode", decoder),
            ("picture", "PreviewImage", {"images": [f"{name} decoder", 0]}),
        ):
            prompt[f"{name} {part}"] = {"class_type": kind, "inputs": inputs, "_meta": {"title": name}}
    return prompt


def _run(bench: Workbench, prompt: Prompt) -> tuple[dict[str, list[Any]], set[str]]:
    """(files and texts by node, nodes that were taken from the cache)."""
    history = bench.client.follow(bench.client.queue(prompt))
    found: dict[str, list[Any]] = {}
    for output in bench.client.outputs(history):
        found.setdefault(output.node, []).append(output.content)
    cached = next(data["nodes"] for kind, data in history["status"]["messages"] if kind == "execution_cached")
    return found, set(cached)


def _clips(bench: Workbench, prompt: Prompt) -> list[bytes]:
    """The animated pictures of a run."""
    outputs, _ = _run(bench, prompt)
    return [
        content for contents in outputs.values() for content in contents if isinstance(content, bytes) and content[:4] == b"RIFF"
    ]


def _run_without_client(bench: Workbench, prompt: Prompt) -> None:
    """As a program does that only asks for the result. Raises PromptError where it fails."""
    number = bench.client.post("/prompt", {"prompt": prompt})["prompt_id"]
    bench.client.follow(number)


async def _previewed(client: Client, prompt: Prompt) -> set[str]:
    """Ids of the nodes for which pictures came while a prompt ran."""
    address = f"{client.url.replace('http', 'ws', 1)}/ws?clientId={client.id}"
    features = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
    found: set[str] = set()
    async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        await socket.send_json(features)
        number = client.queue(prompt)
        async for message in socket:
            if message.type == aiohttp.WSMsgType.BINARY:
                found |= _node_of(message.data)
            elif message.type == aiohttp.WSMsgType.TEXT and _ended(message.json(), number):
                return found
    return found


def _node_of(data: bytes) -> set[str]:
    """The node of a picture with facts, empty for another kind of message."""
    kind, length = struct.unpack(">II", data[:8])
    return {json.loads(data[8 : 8 + length])["node_id"]} if kind == PREVIEW else set()


def _ended(event: Mapping[str, Any], number: str) -> bool:
    ours = event["data"].get("prompt_id") == number
    return ours and event["type"] in ("execution_success", "execution_error", "execution_interrupted")
