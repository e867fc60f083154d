"""What the points share: a running server with what it says about itself, the published archive, and what a browser saw."""

import json
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tools import ROOT, browser
from tools.checklist import outside
from tools.checklist.point import NotHere
from tools.client import DIRECT, Client
from tools.errors import ChoreError
from tools.examples import recipes
from tools.server import Server

EXAMPLES = ROOT / "example_workflows"
PICTURES = ROOT / "output" / "checklist"


@dataclass(frozen=True)
class Answer:
    """Of a GET."""

    status: int
    kind: str
    body: bytes


@dataclass
class Workbench:
    server: Server
    folder: Path

    @cached_property
    def client(self) -> Client:
        return Client(self.server.url)

    @cached_property
    def known(self) -> dict[str, Any]:
        """All nodes that the server has."""
        return self.client.get("/object_info")

    @cached_property
    def own(self) -> dict[str, Any]:
        """Those of this pack."""
        return {id: self.known[id] for id in sorted(self.server.pack_nodes())}

    @cached_property
    def examples(self) -> dict[str, dict[str, Any]]:
        """{name: workflow}."""
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.glob("*.json"))}

    @cached_property
    def prompts(self) -> dict[str, dict[str, Any]]:
        """{name: its API twin}."""
        return {name: json.loads((EXAMPLES / "api" / f"{name}.json").read_text(encoding="utf-8")) for name in self.examples}

    @cached_property
    def models(self) -> set[str]:
        """Names of the examples that need files."""
        return {recipe.name for recipe in recipes() if recipe.models}

    @cached_property
    def log(self) -> str:
        return self.server.log.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> Answer:
        """Raises HTTPError for an address that is not there."""
        with DIRECT.open(self.server.url + path, timeout=60) as answer:
            return Answer(answer.status, answer.headers.get_content_type(), answer.read())

    @cached_property
    def archive(self) -> Path:
        """The archive that would be published, made from what git tracks."""
        made = ROOT / "node.zip"
        tried = outside.run("comfy", "--no-json", "node", "pack")
        if not made.exists():
            raise NotHere(f"`comfy node pack` made no archive: {(tried.stdout + tried.stderr).strip()[-300:]}")
        return made.replace(self.folder / "node.zip")

    @cached_property
    def unpacked(self) -> Path:
        """The archive's content in a folder with the pack's name."""
        place = self.folder / "unpacked" / ROOT.name
        with zipfile.ZipFile(self.archive) as archive:
            archive.extractall(place)
        return place

    @property
    def seen(self) -> dict[str, Any]:
        """What browser.mjs found. Raises NotHere where there is no browser, RuntimeError where it failed."""
        if isinstance(self._seen, Exception):
            raise self._seen
        return self._seen

    @cached_property
    def _seen(self) -> dict[str, Any] | Exception:
        try:
            environment = browser.environment()
        except ChoreError as error:
            return NotHere(str(error))
        PICTURES.mkdir(parents=True, exist_ok=True)
        asked, answered = self.folder / "asked.json", self.folder / "answered.json"
        asked.write_text(json.dumps({"pack": ROOT.name, "examples": self.examples}), encoding="utf-8")
        command = ["node", ROOT / "tools" / "checklist" / "browser.mjs", self.server.url, asked, answered, PICTURES]
        tried = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        if tried.returncode:
            return RuntimeError(f"browser.mjs failed: {tried.stderr[-800:]}")
        return json.loads(answered.read_text(encoding="utf-8"))


class ArchiveServer(Server):
    """A server whose only pack is an unpacked archive in its own custom_nodes, without a whitelist."""

    def command(self) -> list[str]:
        left_out = ("--extra-model-paths-config", "--disable-all-custom-nodes", "--whitelist-custom-nodes")
        options, skip = [], False
        for option in super().command():
            if skip or option.startswith(left_out):
                skip = option == "--extra-model-paths-config"
                continue
            options.append(option)
        return options


def temporary() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
