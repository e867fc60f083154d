"""The direction of imports, read from the source: maths <- core <- prompts, records <- techniques, host, views <- nodes."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "maths": {"maths"},
    "core": {"core", "maths"},
    "prompts": {"prompts", "core", "maths"},
    "records": {"records", "core", "maths"},
    "techniques": {"techniques", "prompts", "core", "maths"},
    "text": {"text", "prompts", "core"},
    "measures": {"measures", "records", "core", "maths"},
    "views": {"views", "measures", "records", "prompts", "core", "maths"},
    "host": {"host", "prompts", "core", "maths"},
    "demo": {"demo", "core"},
}
MAY_KNOW_COMFY = {"host", "demo"}
COMFY = {"comfy", "comfy_api", "comfy_execution", "comfy_extras"}
COMFY |= {"nodes", "folder_paths", "server", "execution", "latent_preview"}
FILES = sorted((ROOT / "py").rglob("*.py"))


def imports(path: Path) -> list[tuple[str, bool]]:
    """(absolute dotted name, at module level?) of everything a file imports, relative imports resolved to py.*."""
    package = path.relative_to(ROOT).parent.parts
    tree = ast.parse(path.read_text())
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node in tree.body) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            prefix = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            modules = [f"{prefix}{node.module}"] if node.module else [f"{prefix}{alias.name}" for alias in node.names]
            found += [(module, node in tree.body) for module in modules]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_direction(path):
    part = path.relative_to(ROOT / "py").parts[0]
    for name, _ in imports(path):
        top, *rest = name.split(".")
        if top == "py":
            assert rest[0] in MAY_IMPORT[part], f"{part} may not import {name}"
        if top in COMFY:
            assert part in MAY_KNOW_COMFY, f"{part} may not know ComfyUI, yet imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_matplotlib_waits_until_something_is_drawn(path):
    assert not any(name.split(".")[0] == "matplotlib" and at_top for name, at_top in imports(path))


def test_the_traps_stay_closed():
    """An __init__.py in py/ breaks `python -m pytest`; one in nodes/ may shadow ComfyUI's own nodes module."""
    assert not (ROOT / "py" / "__init__.py").exists() and not (ROOT / "nodes" / "__init__.py").exists()


def test_unit_tests_run_without_comfyui():
    assert not any(name == "comfy" or name.startswith("comfy.") for name in sys.modules)
