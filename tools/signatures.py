"""`dev.py signatures`: accepts what saved workflows rely on in each node as it is now, in tests/host/node_signatures.json.

A workflow keeps the values of a node by their order and its links by their place. So ids, the order of inputs and outputs, their
types, the defaults and the options that can be chosen stay as they were released.
"""

import asyncio
import importlib.util
import json
import sys
from collections.abc import Mapping
from typing import Any

import tools.inside_host  # noqa: F401  (before every import of the host)
from tools import ROOT

FILE = ROOT / "tests" / "host" / "node_signatures.json"
HOSTS_OWN = ("sampler_name", "scheduler")  # lists that grow with the host


def main() -> None:
    found = signatures()
    lines = [f"{json.dumps(id)}: {{\n{_lines(signature)}\n}}" for id, signature in found.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
    print(f"{FILE.relative_to(ROOT)}: {len(found)} nodes")


def released() -> dict[str, dict[str, list]]:
    """The file: {node id: {"inputs": [...], "outputs": [...]}}."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def signatures() -> dict[str, dict[str, list]]:
    """The same of the nodes as they are now, sorted by id."""
    found = {node.GET_SCHEMA().node_id: signature(node.GET_NODE_INFO_V1()) for node in node_classes()}
    return json.loads(json.dumps(dict(sorted(found.items()))))


def signature(info: Mapping[str, Any]) -> dict[str, list]:
    """Inputs as [name, "required" or "optional", type, default, options], outputs as [name, type]; `info`: of /object_info."""
    inputs = [
        [name, part, kind, settings.get("default"), None if name in HOSTS_OWN else settings.get("options")]
        for part in ("required", "optional")
        for name, (kind, settings) in info["input"].get(part, {}).items()
    ]
    return {"inputs": inputs, "outputs": [list(output) for output in zip(info["output_name"], info["output"], strict=True)]}


def node_classes() -> list[type]:
    """What the pack's own __init__.py gives the host."""
    spec = importlib.util.spec_from_file_location("pack_as_loaded", ROOT / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return asyncio.run(asyncio.run(module.comfy_entrypoint()).get_node_list())


def _lines(signature: Mapping[str, list]) -> str:
    parts = []
    for side, rows in signature.items():
        listed = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
        parts.append(f' "{side}": [\n{listed}]' if rows else f' "{side}": []')
    return ",\n".join(parts)


if __name__ == "__main__":
    main()
