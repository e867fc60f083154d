"""Points 9 to 14: what the nodes say of themselves, and what the server makes of it."""

import inspect
from collections.abc import Iterator
from typing import Any

from tools import signatures
from tools.checklist.point import expect_none, point
from tools.checklist.workbench import Workbench
from tools.client import Prompt, PromptError
from tools.examples.recipe import WIDGETS, filled_node

CATEGORY = "temporal attention"
HELPERS = {  # nodes whose outputs satisfy what defaults cannot
    "MODEL": "TA_LoadDemoModel", "CLIP": "TA_LoadDemoModel", "VAE": "TA_LoadDemoModel", "CONDITIONING": "CLIPTextEncode",
    "LATENT": "EmptyHunyuanLatentVideo", "IMAGE": "EmptyImage", "AUDIO": "EmptyAudio", "STRING": "PrimitiveString",
    "NOISE": "RandomNoise",
}  # fmt: skip
TEXTS = {"CLIPTextEncode": {"text": ""}, "PrimitiveString": {"value": ""}}  # what their schemas give no default for
NONSENSE = "][: ="


@point(9, "every text is there")
def texts(bench: Workbench) -> str:
    missing, told = [], 0
    for id, info in bench.own.items():
        inputs = {name: spec for part in ("required", "optional") for name, spec in info["input"].get(part, {}).items()}
        told += len(inputs) + len(info["output"])
        missing += [f"{id}.{name}" for name, spec in inputs.items() if not (len(spec) > 1 and spec[1].get("tooltip"))]
        tips = info["output_tooltips"] or [None] * len(info["output"])
        missing += [f"{id} output {index}" for index, tip in enumerate(tips) if not tip]
        missing += [f"{id} {part}" for part in ("description", "search_aliases", "display_name") if not info.get(part)]
        missing += [f"{id} category"] * (info["category"].split("/")[0] != CATEGORY)
    expect_none(missing, "texts missing")
    return f"{len(bench.own)} nodes, {told} inputs and outputs with tooltips; descriptions, aliases, categories"


@point(10, "no registered node is made from another")
def inheritance(bench: Workbench) -> str:
    nodes = signatures.node_classes()
    pairs = ((one, other) for one in nodes for other in nodes if one is not other)
    wrong = [f"{one.__name__} from {other.__name__}" for one, other in pairs if issubclass(one, other)]
    wrong += [one.__name__ for one in nodes if one.RETURN_TYPES != [output.io_type for output in one.GET_SCHEMA().outputs]]
    expect_none(wrong, "nodes")
    return f"{len(nodes)} classes; the types they return are those of their schemas"


@point(11, "nodes that know their id are not shared by the cache")
def unique_ids(bench: Workbench) -> str:
    schemas = [node.GET_SCHEMA() for node in signatures.node_classes()]
    knowing = [schema for schema in schemas if any("unique_id" in str(hidden).lower() for hidden in schema.hidden or ())]
    expect_none([schema.node_id for schema in knowing if not schema.not_idempotent], "nodes without not_idempotent")
    return f"{len(knowing)} nodes ask for their id: {', '.join(schema.node_id for schema in knowing) or 'none'}"


@point(12, "the server takes every node with its defaults")
def defaults(bench: Workbench) -> str:
    expect_none(_refused(bench, ((id, _alone(bench, id)) for id in bench.own)), "nodes refused")
    return f"{len(bench.own)} prompts accepted"


@point(13, "validate_inputs takes what is linked, and explains what is wrong")
def validation(bench: Workbench) -> str:
    checks = [(node, node.validate_inputs) for node in signatures.node_classes() if "validate_inputs" in vars(node)]
    wrong = []
    for node, check in checks:
        names = list(inspect.signature(check).parameters)
        wrong += [f"{node.__name__} with all linked"] * (check(**dict.fromkeys(names)) is not True)
        for name in names:
            answer = check(**dict.fromkeys(names) | {name: NONSENSE})
            wrong += [f"{node.__name__}.{name}: {answer!r}"] * (answer is not True and not isinstance(answer, str))
    expect_none(wrong, "answers")
    return f"{len(checks)} nodes have one" + (f": {', '.join(node.__name__ for node, _ in checks)}" if checks else "")


@point(14, "every text can be linked")
def linked_texts(bench: Workbench) -> str:
    prompts = list(_with_linked_texts(bench))
    expect_none(_refused(bench, prompts), "inputs refused")
    return f"{len(prompts)} prompts accepted"


def _with_linked_texts(bench: Workbench) -> Iterator[tuple[str, Prompt]]:
    for id, info in bench.own.items():
        for part in ("required", "optional"):
            for name, spec in info["input"].get(part, {}).items():
                if spec[0] == "STRING":
                    prompt = _alone(bench, id)
                    prompt["text"] = {"class_type": "PrimitiveString", "inputs": {"value": ""}}
                    prompt["it"]["inputs"][name] = ["text", 0]
                    yield f"{id}.{name}", prompt


def _refused(bench: Workbench, prompts) -> Iterator[str]:
    """Of prompts that are queued and taken back at once."""
    for name, prompt in prompts:
        try:
            bench.client.cancel(bench.client.queue(prompt))
        except PromptError as error:
            yield f"{name}: {str(error).splitlines()[-1]}"


def _alone(bench: Workbench, id: str) -> Prompt:
    """The node `it` with its defaults, what it needs, and something that shows its first output."""
    prompt: Prompt = {}
    _add(bench, prompt, "it", id)
    if bench.known[id]["output"]:
        prompt["end"] = {"class_type": "PreviewAny", "inputs": {"source": ["it", 0]}}
    return prompt


def _add(bench: Workbench, prompt: Prompt, name: str, id: str) -> None:
    info = bench.known[id]
    prompt[name] = {"class_type": id, "inputs": filled_node(TEXTS.get(id, {}), info)}
    for socket, (kind, *settings) in info["input"].get("required", {}).items():
        if isinstance(kind, str) and (kind not in WIDGETS or (settings and settings[0].get("forceInput"))):
            if not kind.startswith("COMFY_"):
                prompt[name]["inputs"][socket] = _source(bench, prompt, kind.split(",")[0])


def _source(bench: Workbench, prompt: Prompt, kind: str) -> list[Any]:
    """A link to an output of this type."""
    made = HELPERS.get(kind) or next(id for id, info in bench.own.items() if kind in info["output"])
    if made not in prompt:
        _add(bench, prompt, made, made)
    return [made, bench.known[made]["output"].index(kind)]
