"""A workflow as it is written down here: nodes with only what differs from their defaults, in titled groups, and a note."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.client import Prompt

Link = list  # [node id, output], as in the API format
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"


@dataclass(frozen=True)
class Node:
    """A node that was added; node[1] is a link to its second output."""

    id: str

    def __getitem__(self, output: int) -> Link:
        return [self.id, output]


@dataclass
class Group:
    """A titled frame around nodes."""

    title: str
    nodes: list[str] = field(default_factory=list)


@dataclass
class Recipe:
    """`name` is what the template browser shows; `note` is Markdown; `models`: node id -> files to offer for download.

    `cover`: the node whose picture is the thumbnail.
    """

    name: str
    note: str
    prompt: Prompt = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    models: dict[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    cover: str = ""

    def group(self, title: str) -> None:
        """Begins the group of the nodes that follow."""
        self.groups.append(Group(title))

    def add(self, kind: str, title: str = "", /, models: Sequence[Mapping[str, str]] = (), **inputs: Any) -> Node:
        """Adds a node to the last group. A dot in the name of an input is written as two underscores."""
        node = Node(str(len(self.prompt) + 1))
        named = {name.replace("__", "."): value for name, value in inputs.items()}
        self.prompt[node.id] = {"class_type": kind, "inputs": named, "_meta": {"title": title}}
        self.groups[-1].nodes.append(node.id)
        if models:
            self.models[node.id] = models
        return node

    def filled(self, known: Mapping[str, Any]) -> Prompt:
        """The API format with every input that has a default, in the order of the nodes' schemas. `known`: /object_info."""
        return {id: _filled(node, known[node["class_type"]]) for id, node in self.prompt.items()}


def filled_node(given: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    """The given inputs of a node, and those with a default. Raises KeyError for an input that the node has not."""
    inputs, left = {}, dict(given)
    _fill(inputs, left, info["input"], "")
    if left:
        raise KeyError(f"{info['name']} has no input {', '.join(left)}")
    return inputs


def _filled(node: dict[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    inputs = filled_node(node["inputs"], info)
    title = node["_meta"]["title"] or info["display_name"] or node["class_type"]
    return {"class_type": node["class_type"], "inputs": inputs, "_meta": {"title": title}}


def _fill(inputs: dict[str, Any], given: dict[str, Any], schema: Mapping[str, Any], prefix: str) -> None:
    """Moves values from `given` to `inputs`, with defaults between; an option of a dynamic combo brings inputs of its own."""
    for part in ("required", "optional"):
        for name, (kind, *options) in schema.get(part, {}).items():
            full, settings = prefix + name, options[0] if options else {}
            if full in given:
                inputs[full] = given.pop(full)
            elif kind == DYNAMIC:
                inputs[full] = settings["options"][0]["key"]
            elif isinstance(kind, list) or kind in WIDGETS and not settings.get("forceInput"):
                inputs[full] = _default(kind, settings)
            if kind == DYNAMIC:
                chosen = next(option for option in settings["options"] if option["key"] == inputs[full])
                _fill(inputs, given, chosen["inputs"], f"{full}.")


def _default(kind: str | list, settings: Mapping[str, Any]) -> Any:
    choices = kind if isinstance(kind, list) else settings.get("options")
    return settings["default"] if "default" in settings else choices[0]
