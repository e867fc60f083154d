"""The client of docs/api.md against a real server, and what the server hands out: help pages, pictures, translations."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools.client import DIRECT, Client
from tools.server import Server

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "example_workflows" / "api" / "Spectral Transport Homeostasis.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("api"), cpu=True) as running:
        yield running


def client(server, *arguments):
    command = [sys.executable, str(ROOT / "docs" / "api_client.py"), "--server", server.url, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)


def test_it_overrides_inputs_by_title_waits_and_fetches_the_files(server, tmp_path):
    ran = client(
        server, WORKFLOW, "--to", tmp_path, "--set", "With STH", "steps", 3, "--set", "Baseline", "steps", 2,
        "--set", "Save tension heatmap", "filename_prefix", "mine",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "3 of 3 steps" in ran.stdout
    assert (tmp_path / "mine_00001_.png").read_bytes()[:4] == b"\x89PNG" and len(list(tmp_path.glob("*.webp"))) == 1


@pytest.mark.parametrize(
    "override,said",
    [
        (("No such node", "steps", 3), "With STH"),
        (("With STH", "no_such_input", 3), "With STH"),
        (("With STH", "steps", -1), "smaller than min"),
        (("With STH", "steps", "many"), "400"),
    ],
)
def test_it_says_what_is_wrong(server, override, said):
    ran = client(server, WORKFLOW, "--set", *override)
    assert ran.returncode == 1 and said in ran.stderr


def test_a_server_that_does_not_answer_is_named():
    nobody = SimpleNamespace(url="http://127.0.0.1:9")
    ran = client(nobody, WORKFLOW)
    assert ran.returncode == 1 and ran.stderr.startswith("Expected a ComfyUI at http://127.0.0.1:9")


def test_an_error_while_running_is_shown(server):
    ran = client(server, WORKFLOW, "--set", "Spectral Transport Homeostasis (STH)", "blocks", "9-3")
    assert ran.returncode == 1 and "such as 0-9, 12" in ran.stderr


def test_help_pages_their_pictures_and_translations_are_handed_out(server):
    """Pictures are looked for below /docs/, as the frontend resolves them; other languages than English fall back to NODE.md."""
    docs = f"{server.url}/extensions/{ROOT.name}/docs"
    for node in server.pack_nodes():
        for path in (f"{node}/en.md", f"{node}.md", f"{node}/picture.png"):
            with DIRECT.open(f"{docs}/{path}") as answer:
                assert answer.status == 200 and "html" not in answer.headers["content-type"]
    translations = Client(server.url).get("/i18n")
    for language in ("zh", "ja"):
        assert translations[language]["nodeDefs"].keys() >= set(server.pack_nodes())
        assert "temporal attention" in translations[language]["nodeCategories"]
