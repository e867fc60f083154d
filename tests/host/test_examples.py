"""Every example workflow: made from its recipe, well formed, and run in a real server on the demo model with few steps."""

import itertools
import json
from pathlib import Path

import pytest

from tools.client import Client
from tools.examples import recipes
from tools.examples.editing import VIDEO
from tools.examples.pictures import write_video
from tools.server import Server

FOLDER = Path(__file__).resolve().parents[2] / "example_workflows"
RECIPES = {recipe.name: recipe for recipe in recipes()}
NEEDS_FILES = {name for name, recipe in RECIPES.items() if recipe.models}
STEPS = 3
WITHOUT_PYTHON = {"MarkdownNote"}


def read(name, folder=FOLDER):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """With a red circle that moves left as the user's video."""
    with Server(tmp_path_factory.mktemp("examples"), cpu=True) as running:
        write_video(running.base / "input" / VIDEO)
        yield running


@pytest.fixture(scope="module")
def known(server):
    """What the server says about its nodes."""
    return Client(server.url).get("/object_info")


def test_each_recipe_has_its_two_files_and_no_other_is_there():
    assert {path.stem for path in FOLDER.glob("*.json")} == {path.stem for path in FOLDER.glob("api/*.json")} == set(RECIPES)


def test_the_template_browser_shows_them(server):
    assert set(Client(server.url).get("/workflow_templates")[FOLDER.parent.name]) == set(RECIPES)
    assert {path.stem for path in FOLDER.glob("*.jpg")} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_the_files_are_those_of_the_recipe(name, known):
    stale = "a node or the recipe has changed: run `python dev.py workflows`"
    assert read(name, FOLDER / "api") == RECIPES[name].filled(known), stale
    notes = [node["widgets_values"][0] for node in read(name)["nodes"] if node["type"] == "MarkdownNote"]
    assert notes == [RECIPES[name].note], stale


@pytest.mark.parametrize("name", RECIPES)
def test_values_and_links_fit_the_nodes(name, known):
    prompt = read(name, FOLDER / "api")
    for node in prompt.values():
        schema = {i: spec for part in known[node["class_type"]]["input"].values() for i, spec in part.items()}
        assert known[node["class_type"]]["input"].get("required", {}).keys() <= node["inputs"].keys()
        for key, value in node["inputs"].items():
            kind, *options = schema.get(key, ("an option of a dynamic combo",))
            if isinstance(value, list):
                output = known[prompt[value[0]]["class_type"]]["output"][value[1]]
                assert kind == "*" or output in kind.split(","), f"{node['class_type']}.{key} takes {kind}, not {output}"
            elif kind == "COMBO" and "upload" not in str(options):
                assert value in options[0]["options"]


@pytest.mark.parametrize("name", RECIPES)
def test_the_workflow_shows_the_same_graph_as_its_api_twin(name, known):
    workflow, prompt = read(name), read(name, FOLDER / "api")
    assert workflow["version"] == 0.4
    nodes = {str(node["id"]): node for node in workflow["nodes"]}
    assert {node["type"] for node in nodes.values()} <= known.keys() | WITHOUT_PYTHON
    assert {id for id, node in nodes.items() if node["type"] not in WITHOUT_PYTHON} == prompt.keys()
    drawn = {(str(target), nodes[str(target)]["inputs"][slot]["name"], str(source), output) for _, source, output, target, slot, _
             in workflow["links"]}  # fmt: skip
    wanted = {(id, key, *value) for id, key, value in inputs(prompt) if isinstance(value, list)}
    assert drawn == wanted
    for id, node in prompt.items():
        widgets = iter(nodes[id].get("widgets_values") or ())
        assert all(value in widgets for value in node["inputs"].values() if not isinstance(value, list)), node["class_type"]


def inputs(prompt):
    return [(id, key, value) for id, node in prompt.items() for key, value in node["inputs"].items()]


@pytest.mark.parametrize("name", RECIPES)
def test_nothing_overlaps_and_every_node_is_in_a_group(name):
    workflow = read(name)
    boxes = {node["id"]: box(*node["pos"], *node["size"]) for node in workflow["nodes"]}
    groups = [box(*group["bounding"]) for group in workflow["groups"]]
    assert not any(overlap(one, other) for one, other in itertools.combinations(boxes.values(), 2))
    assert not any(overlap(one, other) for one, other in itertools.combinations(groups, 2))
    for node in workflow["nodes"]:
        held = [group for group in groups if inside(boxes[node["id"]], group)]
        assert len(held) == (node["type"] != "MarkdownNote"), node["type"]


def box(left, top, width, height):
    return left, top, left + width, top + height


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def inside(one, outer):
    return outer[0] <= one[0] and outer[1] <= one[1] and one[2] <= outer[2] and one[3] <= outer[3]


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - NEEDS_FILES))
def test_it_runs_on_the_demo_model(name, server):
    prompt = read(name, FOLDER / "api")
    for node in prompt.values():
        if "steps" in node["inputs"] and isinstance(node["inputs"]["steps"], int):
            node["inputs"]["steps"] = STEPS
    client = Client(server.url)
    history = client.follow(client.queue(prompt))
    ends = {id for id in prompt if not any(isinstance(v, list) and v[0] == id for _, _, v in inputs(prompt))}
    shown = {output.node for output in client.outputs(history)}
    assert shown >= ends
    assert "WARNING" not in server.log.read_text(encoding="utf-8")
