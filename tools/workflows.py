"""`dev.py workflows`: has the real frontend make example_workflows/ from tools/examples. Runs in the host's own Python.

It needs Chromium, Node.js and playwright-core: tools/browser.py says how they are installed.
"""

import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools import ROOT, browser, pins
from tools.client import Client, Prompt
from tools.errors import ChoreError
from tools.examples import recipes
from tools.examples.editing import VIDEO
from tools.examples.pictures import thumbnail, write_video
from tools.examples.recipe import Recipe
from tools.server import Server

FOLDER = ROOT / "example_workflows"
PICTURES = ROOT / "output" / "workflows"
PACK = "temporal-attention"  # its name in the registry

# Width of nodes that show something, and the height that it takes: the live preview of samplers, for one.
PICTURE, CLIP, TEXT, LIVE = (460, 340), (560, 260), (460, 220), (320, 240)
PREVIEWS = {
    "KSampler": LIVE,
    "SamplerCustom": LIVE,
    "SamplerCustomAdvanced": LIVE,
    "TA_TraceAttention": LIVE,
    "LoadVideo": (320, 340),
    "PreviewAny": TEXT,
    "PreviewImage": PICTURE,
    "SaveImage": PICTURE,
    "SaveVideo": PICTURE,
    "SaveAnimatedWEBP": CLIP,
}


def main() -> None:
    environment = browser.environment()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as base, Server(Path(base), cpu=True) as server:
        known = Client(server.url).get("/object_info")
        jobs = [job_of(recipe, known) for recipe in recipes()]
        write_video(Path(base) / "input" / VIDEO)
        for job, made in zip(jobs, in_browser(environment, server.url, jobs, Path(base)), strict=True):
            keep(made, job["prompt"])
            if not any("models" in properties for properties in job["properties"].values()):
                keep_thumbnail(Client(server.url), job["name"], made["prompt"])
    print(f"Pictures to look at: {PICTURES}")


def job_of(recipe: Recipe, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the browser is told to make."""
    prompt = recipe.filled(known)
    charts = {kind: PICTURE for kind, info in known.items() if kind.startswith("TA_") and info["output_node"]}
    groups = [{"title": group.title, "nodes": [int(id) for id in group.nodes]} for group in recipe.groups]
    properties = {int(id): properties_of(node["class_type"], recipe.models.get(id)) for id, node in prompt.items()}
    return {
        "name": recipe.name,
        "prompt": prompt,
        "groups": groups,
        "note": recipe.note,
        "previews": PREVIEWS | charts,
        "properties": properties,
    }


def properties_of(kind: str, models: Sequence[Mapping[str, str]] | None) -> dict[str, Any]:
    """From these the host offers missing packs and files."""
    source = {"cnr_id": PACK} if kind.startswith("TA_") else {"cnr_id": "comfy-core", "ver": pins.COMFYUI}
    return source | ({"models": list(models)} if models else {})


def in_browser(environment: Mapping[str, str], url: str, jobs: Sequence[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What the frontend made of each job."""
    asked, answered = folder / "jobs.json", folder / "made.json"
    asked.write_text(json.dumps(jobs), encoding="utf-8")
    command = ["node", str(ROOT / "tools" / "workflows.mjs"), url, str(asked), str(answered), str(PICTURES)]
    if subprocess.run(command, cwd=ROOT, env=environment).returncode != 0:
        raise ChoreError("the frontend to make the workflows", "an error, see above", "Correct the recipe that it names.")
    made = json.loads(answered.read_text(encoding="utf-8"))
    if made["errors"]:
        raise ChoreError("a page without errors", "; ".join(made["errors"]), "See to the workflow that was loaded then.")
    return made["found"]


def keep(made: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Writes the workflow and its API twin. Raises ChoreError where the frontend changed a value or knows a node not."""
    name, loaded = made["name"], made["loaded"]
    for prompt in (made["prompt"], loaded["prompt"]):
        if changed := differences(asked, prompt):
            raise ChoreError(f"the frontend to keep the values of {name}", "; ".join(changed), "Correct the recipe.")
    if loaded["unknown"]:
        raise ChoreError(f"only known nodes in {name}", ", ".join(loaded["unknown"]), "Correct the recipe.")
    workflow = made["workflow"] | {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "extra": {}}
    write(FOLDER / f"{name}.json", workflow)
    write(FOLDER / "api" / f"{name}.json", {id: made["prompt"][id] for id in asked})
    print(f"{name}: {len(asked)} nodes")


def keep_thumbnail(client: Client, name: str, prompt: Prompt) -> None:
    """Runs it and shows its clips."""
    outputs = client.outputs(client.follow(client.queue(prompt)))
    clip = next(output.content for output in outputs if output.name.endswith(".webp"))
    (FOLDER / f"{name}.jpg").write_bytes(thumbnail(clip))


def differences(asked: Mapping[str, Any], came: Mapping[str, Any]) -> list[str]:
    """Inputs whose value or link is not what was asked for."""
    if asked.keys() != came.keys():
        return [f"nodes {sorted(came)} instead of {sorted(asked)}"]
    return [
        f"{node['class_type']}.{name}: {came[id]['inputs'].get(name)!r} instead of {value!r}"
        for id, node in asked.items()
        for name, value in node["inputs"].items()
        if came[id]["inputs"].get(name) != value
    ]


def write(path: Path, content: Mapping[str, Any]) -> None:
    """JSON with one node, link or group on a line, for readable diffs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"{json.dumps(key)}: {_lines(value)}" for key, value in content.items()]
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8", newline="\n")


def _lines(value: Any) -> str:
    if not (isinstance(value, list) and value):
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n]"


if __name__ == "__main__":
    try:
        main()
    except ChoreError as error:
        sys.exit(str(error))
