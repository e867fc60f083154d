"""Points 1 to 6: what is published, and whether the registry takes it."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from tools import ROOT
from tools.checklist import outside
from tools.checklist.point import NotHere, expect, expect_none, point
from tools.checklist.workbench import Workbench

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    tomllib = None

RULES = "S102,S307,E702,F,E9,T20"
FORBIDDEN = re.compile(r"subprocess|os\.system|pip install|torch\.load|(?<![\w.])(?:eval|exec)\(")
ONLY_FOR_DEVELOPING = ("tests/", "tools/", "docs/", ".git", ".ci/", "dev.py", "output/", "node_modules/")
LARGEST = 15e6  # bytes


@point(1, "the registry's validation has nothing to say")
def validates(bench: Workbench) -> str:
    tried = outside.run("comfy", "--no-json", "node", "validate")
    said = tried.stdout + tried.stderr
    expect_none(re.findall(r"(?im)^.*(?:warning|error).*$", said), "complaints")
    expect(tried.returncode == 0 and "passed" in said, said.strip()[-300:])
    return "comfy node validate: " + said.strip().splitlines()[-1]


@point(2, "ruff with the registry's rules")
def ruff(bench: Workbench) -> str:
    command = [sys.executable, "-m", "ruff", "check", ".", "--select", RULES]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if "No module named ruff" in tried.stderr:
        raise NotHere("this Python has no ruff")
    expect(tried.returncode == 0, tried.stdout[-400:])
    return f"ruff --select {RULES}: {tried.stdout.strip()}"


@point(3, "pyproject.toml has what the registry shows")
def pyproject(bench: Workbench) -> str:
    if tomllib is None:
        raise NotHere("Python 3.10 cannot read TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    comfy, general = project["tool"]["comfy"], project["project"]
    wanted = ("PublisherId", "DisplayName", "Icon", "Banner", "requires-comfyui")
    expect_none([name for name in wanted if not comfy.get(name)], "fields missing")
    expect("web" not in comfy, "[tool.comfy] names a web folder as well as WEB_DIRECTORY: the JavaScript would be loaded twice")
    expect_none([url for url in (comfy["Icon"], comfy["Banner"]) if not (ROOT / url.partition("/main/")[2]).is_file()], "no file")
    expect(f"## {general['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), "the changelog lacks this version")
    return f"{general['name']} {general['version']} of {comfy['PublisherId']}, ComfyUI {comfy['requires-comfyui']}, icon, banner"


@point(4, "nothing dangerous in the Python files of the archive")
def harmless(bench: Workbench) -> str:
    files = sorted(bench.unpacked.rglob("*.py"))
    found = [f"{path.name}:{number}" for path in files for number, line in enumerate(_lines(path), 1) if FORBIDDEN.search(line)]
    expect_none(found, "places")
    return f"{len(files)} files, none matches {FORBIDDEN.pattern}"


@point(5, "comfy-test lint --strict")
def lint(bench: Workbench) -> str:
    tried = outside.run("comfy-test", "lint", ".", "--strict", cwd=bench.unpacked)
    said = tried.stdout + tried.stderr
    verdicts = re.findall(r"\[(\w+)\] (PASSED|FAILED)", said)
    expect(tried.returncode == 0 and {verdict for _, verdict in verdicts} == {"PASSED"}, said.strip()[-500:])
    return ", ".join(f"{name} {verdict}" for name, verdict in verdicts)


@point(6, "the archive holds the pack and nothing else")
def archive(bench: Workbench) -> str:
    with zipfile.ZipFile(bench.archive) as packed:
        names = packed.namelist()
    size = bench.archive.stat().st_size
    expect_none([name for name in names if name.startswith(ONLY_FOR_DEVELOPING)], "files for developing only")
    expect_none({"LICENSE", "pyproject.toml", "__init__.py", "requirements.txt"} - set(names), "missing")
    expect(size < LARGEST, f"{size / 1e6:.1f} MB")
    return f"{len(names)} files, {size / 1e6:.1f} MB, with LICENSE; without {', '.join(ONLY_FOR_DEVELOPING)}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
