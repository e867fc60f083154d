"""Temporal Attention: training-free control and diagnosis of attention in video diffusion models, for ComfyUI."""

import importlib
import pkgutil
from pathlib import Path

WEB_DIRECTORY = "./js"

NODES = Path(__file__).parent / "nodes"


def node_classes() -> list[type]:
    """Every node class defined in a module of `nodes/` whose name has no leading underscore, sorted by module name."""
    from comfy_api.latest import io

    found = []
    for info in pkgutil.iter_modules([str(NODES)]):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f".nodes.{info.name}", __name__)
        found += [
            member
            for member in vars(module).values()
            if isinstance(member, type) and issubclass(member, io.ComfyNode) and member.__module__ == module.__name__
        ]
    return found


async def comfy_entrypoint():
    """Called by ComfyUI's loader: the extension that lists this pack's nodes."""
    from comfy_api.latest import ComfyExtension

    class TemporalAttention(ComfyExtension):
        async def get_node_list(self) -> list[type]:
            return node_classes()

    return TemporalAttention()
