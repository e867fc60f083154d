"""`dev.py workflows [-- NAMES]`: has the real frontend make example_workflows/ and subgraphs/ from tools/examples.

Runs in the host's own Python. It needs Chromium, Node.js and playwright-core: tools/browser.py says how they are installed.
"""

import json
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools import ROOT, brand, browser, pins
from tools.client import Client, Prompt
from tools.errors import ChoreError
from tools.examples import recipes
from tools.examples.blueprints import Blueprint, blueprints
from tools.examples.editing import VIDEO
from tools.examples.pictures import thumbnail, write_video
from tools.examples.recipe import Recipe
from tools.server import Server

FOLDER = ROOT / "example_workflows"
BLUEPRINTS = ROOT / "subgraphs"
BLUEPRINT_PROMPTS = ROOT / "tests" / "host" / "blueprints"
PICTURES = ROOT / "output" / "workflows"
PACK, CATEGORY = "temporal-attention", "temporal attention"  # its name in the registry, and in the node library
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Width of nodes that show something, and the height that it takes: the live preview of samplers, for one.
PICTURE, CLIP, TEXT, LIVE, CHART = (460, 340), (560, 260), (460, 220), (320, 240), (460, 170)
PREVIEWS = {
    "KSampler": LIVE,
    "KSamplerAdvanced": LIVE,
    "SamplerCustom": LIVE,
    "SamplerCustomAdvanced": LIVE,
    "LoadVideo": (320, 340),
    "PreviewAny": TEXT,
    "PreviewImage": PICTURE,
    "SaveImage": PICTURE,
    "SaveVideo": PICTURE,
    "SaveAnimatedWEBP": CLIP,
    "TA_AudioSchedule": CHART,
    "TA_TemporalSchedule": CHART,
    "TA_TraceAttention": LIVE,
}


def main(names: Sequence[str]) -> None:
    environment = browser.environment()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as base, Server(Path(base), cpu=True) as server:
        client = Client(server.url)
        known = client.get("/object_info")
        jobs = [job_of(recipe, known) for recipe in recipes()] + [blueprint_job(blueprint, known) for blueprint in blueprints()]
        jobs = [job for job in jobs if not names or job["name"] in names]
        write_video(Path(base) / "input" / VIDEO)
        for job, made in zip(jobs, in_browser(environment, server.url, jobs, Path(base)), strict=True):
            check(made, job["prompt"])
            if job["inside"]:
                keep_blueprint(made, published(Path(base), job["name"]))
            else:
                keep(made)
                keep_thumbnail(client, job, made["prompt"])
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
        "cover": recipe.cover,
        "inside": None,
    }


def blueprint_job(blueprint: Blueprint, known: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a blueprint."""
    more = {"inside": blueprint.inside, "description": blueprint.description, "aliases": blueprint.aliases}
    return job_of(blueprint.recipe, known) | more


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


def check(made: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raises ChoreError where the frontend changed a value or knows a node not."""
    name, loaded = made["name"], made["loaded"]
    for prompt in (made["prompt"], loaded["prompt"]):
        if changed := differences(asked, prompt):
            raise ChoreError(f"the frontend to keep the values of {name}", "; ".join(changed), "Correct the recipe.")
    if loaded["unknown"]:
        raise ChoreError(f"only known nodes in {name}", ", ".join(loaded["unknown"]), "Correct the recipe.")
    print(f"{name}: {len(asked)} nodes")


def keep(made: Mapping[str, Any]) -> None:
    """Writes the workflow and its API twin."""
    name, prompt = made["name"], made["prompt"]
    workflow = made["workflow"] | {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "extra": {}}
    write(FOLDER / f"{name}.json", workflow)
    write(FOLDER / "api" / f"{name}.json", {id: prompt[id] for id in sorted(prompt, key=int)})


def keep_thumbnail(client: Client, job: Mapping[str, Any], prompt: Prompt) -> None:
    """Runs it and shows what its cover node showed; an example that cannot run here gets a card with its name."""
    if job["cover"]:
        outputs = client.outputs(client.follow(client.queue(prompt)))
        shown = next(output.content for output in outputs if output.node == job["cover"])
    else:
        shown = brand.card(job["name"])
    (FOLDER / f"{job['name']}.jpg").write_bytes(thumbnail(shown))


def published(base: Path, name: str) -> str:
    """The blueprint as the frontend saved it among the user's own."""
    path = next(base.glob(f"user/*/subgraphs/{name}.json"))
    text = path.read_text(encoding="utf-8")
    path.unlink()
    for index, random in enumerate(dict.fromkeys(UUID.findall(text))):
        text = text.replace(random, str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {index}")))
    return text


def keep_blueprint(made: Mapping[str, Any], text: str) -> None:
    """Writes the blueprint, and for the tests the prompt of a graph with it."""
    name, workflow = made["name"], json.loads(text)
    workflow["definitions"]["subgraphs"][0]["category"] = CATEGORY
    write(BLUEPRINTS / f"{name}.json", workflow)
    write(BLUEPRINT_PROMPTS / f"{name}.json", made["blueprint"]["output"])
    print(f"{name}: {', '.join(made['blueprint']['named'])}")


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
        main(sys.argv[1:])
    except ChoreError as error:
        sys.exit(str(error))
