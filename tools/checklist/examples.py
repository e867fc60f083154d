"""Points 19 to 23: the example workflows."""

import json
from collections.abc import Iterator
from typing import Any

from tools.checklist import outside
from tools.checklist.point import expect, expect_none, point
from tools.checklist.workbench import EXAMPLES, Workbench
from tools.workflows import PACK

NOT_ON_THE_SERVER = {"MarkdownNote"}
LOADERS = ("UNETLoader", "CLIPLoader", "DualCLIPLoader", "VAELoader", "CheckpointLoaderSimple")


@point(19, "examples fit the frontend's own schema of workflows")
def schema(bench: Workbench) -> str:
    expect_none([name for name, workflow in bench.examples.items() if workflow["version"] != 0.4], "not of version 0.4")
    found = [f"{one['name']}: {toast}" for one in _loaded(bench) for toast in one["toasts"]]
    expect_none(found, "complaints of the frontend's validation")
    return f"{len(bench.examples)} of version 0.4 loaded with Comfy.Validation.Workflows on, no complaint"


@point(20, "the frontend makes of each example the prompt that we ship")
def converts(bench: Workbench) -> str:
    wrong = []
    for one in _loaded(bench):
        twin, prompt = (values(prompt) for prompt in (bench.prompts[one["name"]], one["prompt"]))
        wrong += [f"{one['name']}: unknown {', '.join(one['unknown'])}"] * bool(one["unknown"])
        wrong += [f"{one['name']}: another prompt"] * (twin != prompt)
        wrong += [f"{one['name']}: {fault}" for fault in one["faults"]]
    expect_none(wrong, "differences")
    return f"{len(bench.examples)} examples in {len(bench.seen['modes'])} kinds of canvas: nothing unknown, prompts as shipped"


@point(21, "comfy workflow validate")
def validates(bench: Workbench) -> str:
    nodes = bench.folder / "object_info.json"
    nodes.write_text(json.dumps(_with_files(bench)), encoding="utf-8")
    wrong = []
    for name in bench.examples:
        workflow = EXAMPLES / "api" / f"{name}.json"
        tried = outside.run("comfy", "--json", "workflow", "validate", "--workflow", workflow, "--input", nodes)
        wrong += [f"{name}: {(tried.stdout + tried.stderr).strip()[-200:]}"] * ('"valid": true' not in tried.stdout)
    expect_none(wrong, "not valid")
    return f"{len(bench.examples)} valid"


@point(22, "each node is in an example")
def used(bench: Workbench) -> str:
    kinds = {node["class_type"] for prompt in bench.prompts.values() for node in prompt.values()}
    expect_none(bench.own.keys() - kinds, "nodes in none")
    return f"{len(bench.own)} nodes in {len(bench.examples)} examples"


@point(23, "examples need this pack and ComfyUI alone, and say where models are")
def self_contained(bench: Workbench) -> str:
    core = {id for id, info in bench.known.items() if not info["python_module"].startswith("custom_nodes.")}
    wrong = []
    for name, workflow in bench.examples.items():
        for node in workflow["nodes"]:
            kind, properties = node["type"], node["properties"]
            wrong += [f"{name}: {kind}"] * (kind not in core | bench.own.keys() | NOT_ON_THE_SERVER)
            wrong += [f"{name}: {kind} without models"] * (kind in LOADERS and not properties.get("models"))
            wanted = PACK if kind in bench.own else "comfy-core"
            wrong += [f"{name}: {kind}: cnr_id"] * (kind not in NOT_ON_THE_SERVER and properties.get("cnr_id") != wanted)
    expect_none(wrong, "nodes")
    links = sum(len(node["properties"].get("models", ())) for workflow in bench.examples.values() for node in workflow["nodes"])
    expect(links > 0, "no model links")
    return f"{len(bench.examples)} examples, {links} model links, cnr_id everywhere"


def _loaded(bench: Workbench) -> Iterator[dict[str, Any]]:
    """What each kind of canvas made of each example."""
    return (one for mode in bench.seen["modes"].values() for one in mode["examples"])


def values(prompt: dict[str, Any]) -> dict[str, Any]:
    """Without titles, and without what Nodes 2.0 adds to Load Video."""
    inputs = {
        id: {name: value for name, value in node["inputs"].items() if name != "video-preview"} for id, node in prompt.items()
    }
    return {id: (node["class_type"], inputs[id]) for id, node in prompt.items()}


def _with_files(bench: Workbench) -> dict[str, Any]:
    """/object_info as it is on a machine that has the models and videos of the examples."""
    known = json.loads(json.dumps(bench.known))
    for prompt in bench.prompts.values():
        for node in prompt.values():
            inputs = known[node["class_type"]]["input"]
            for name, value in node["inputs"].items():
                spec = (inputs.get("required", {}) | inputs.get("optional", {})).get(name)
                choices = spec and (
                    spec[0] if isinstance(spec[0], list) else spec[1].get("options") if spec[0] == "COMBO" else None
                )
                if isinstance(choices, list) and isinstance(value, str) and "." in value and value not in choices:
                    choices.append(value)
    return known
