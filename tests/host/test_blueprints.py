"""Every blueprint: made from its recipe, one subgraph and nothing beside it, listed by the server, and run on the demo model."""

import json
from pathlib import Path

import pytest

from tools.client import Client
from tools.examples.blueprints import INSIDE, SHOWN, blueprints
from tools.server import Server

ROOT = Path(__file__).resolve().parents[2]
FOLDER, PROMPTS = ROOT / "subgraphs", Path(__file__).parent / "blueprints"
BLUEPRINTS = {blueprint.name: blueprint for blueprint in blueprints()}
STEPS = 3
STALE = "a node or the recipe has changed: run `python dev.py workflows`"


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("blueprints"), cpu=True) as running:
        yield running


@pytest.fixture(scope="module")
def known(server):
    return Client(server.url).get("/object_info")


def test_each_recipe_has_its_files_and_no_other_is_there():
    assert {path.stem for path in FOLDER.iterdir()} == {path.stem for path in PROMPTS.iterdir()} == set(BLUEPRINTS)


def test_the_server_lists_them(server):
    listed = Client(server.url).get("/global_subgraphs").values()
    assert {one["name"] for one in listed if one["info"]["node_pack"] == f"custom_nodes.{ROOT.name}"} == set(BLUEPRINTS)


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_it_is_one_node_of_one_subgraph_and_says_what_it_is_for(name, known):
    blueprint = read(FOLDER, name)
    (node,), (subgraph,) = blueprint["nodes"], blueprint["definitions"]["subgraphs"]
    assert blueprint["version"] == 0.4 and node["type"] == subgraph["id"] and node["title"] == subgraph["name"] == name
    assert {inner["type"] for inner in subgraph["nodes"]} <= known.keys()
    assert len(subgraph["nodes"]) == len(BLUEPRINTS[name].inside)
    assert subgraph["description"] == blueprint["extra"]["BlueprintDescription"] == BLUEPRINTS[name].description
    assert all(part["label"] for part in (*node["inputs"], *node["outputs"]))
    assert not any(part["link"] for part in node["inputs"])


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_its_widgets_begin_with_the_recipes_values(name):
    (node,) = read(FOLDER, name)["nodes"]
    widgets = dict(zip([part["label"] for part in node["inputs"] if "widget" in part], node["widgets_values"], strict=True))
    made = [node for node in BLUEPRINTS[name].recipe.prompt.values() if "value" in node["inputs"]]
    values = {node["_meta"]["title"]: node["inputs"]["value"] for node in made}
    assert widgets == values, STALE


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_the_frontend_makes_of_it_the_prompt_of_the_recipe(name, known):
    """But for the ids: the node 9 in the subgraph 24 is 24:9."""
    flat = {id.rpartition(":")[2]: node for id, node in read(PROMPTS, name).items()}
    inside = set(map(str, BLUEPRINTS[name].inside))
    wanted = BLUEPRINTS[name].recipe.filled(known)
    assert {id: (node["class_type"], inputs(node)) for id, node in flat.items()} == {
        id: (node["class_type"], inputs(node)) for id, node in wanted.items()
    }, STALE
    assert {id.rpartition(":")[2] for id in read(PROMPTS, name) if ":" in id} == inside


def inputs(node):
    return {
        key: [value[0].rpartition(":")[2], value[1]] if isinstance(value, list) else value
        for key, value in node["inputs"].items()
    }


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_it_runs_on_the_demo_model(name, server):
    prompt = read(PROMPTS, name)
    steps = next(node for node in prompt.values() if node["_meta"]["title"] == "steps")
    steps["inputs"]["value"] = STEPS
    client = Client(server.url)
    shown = {output.node for output in client.outputs(client.follow(client.queue(prompt)))}
    ends = next(group.nodes for group in BLUEPRINTS[name].recipe.groups if group.title == SHOWN)
    assert shown >= set(ends)
    assert "WARNING" not in server.log.read_text(encoding="utf-8")


def test_the_groups_of_a_recipe_are_what_goes_in_what_is_inside_and_what_comes_out():
    for blueprint in BLUEPRINTS.values():
        titles = [group.title for group in blueprint.recipe.groups]
        assert titles[1:] == [INSIDE, SHOWN]
