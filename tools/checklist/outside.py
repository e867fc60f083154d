"""The registry's own tools, in an environment of their own: nothing of them gets into the host's."""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tools import ROOT, pins
from tools.checklist.point import NotHere

TOOLS = ("comfy-cli==1.23.0", "comfy-test==0.4.15")
LIMIT = 600  # seconds


def environment() -> Path:
    """Its folder, made once. Raises NotHere where that is not possible."""
    folder = pins.cache_folder(os.environ) / "checklist-1"
    finished = folder / "finished"
    if not finished.exists():
        print(f"Installing {' and '.join(TOOLS)} into {folder} ...", flush=True)
        commands = (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(pins.venv_python(folder)), "-m", "pip", "install", "--quiet", *TOOLS],
        )
        for command in commands:
            tried = subprocess.run(command, capture_output=True, text=True)
            if tried.returncode:
                raise NotHere(f"{' and '.join(TOOLS)} could not be installed: {tried.stderr.strip().splitlines()[-1:]}")
        finished.touch()
    return folder


def run(program: str, *arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """Runs one of them, which may write into a home folder of its own and call nobody."""
    command = [str(pins.venv_python(environment()).parent / program), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=_environ(), capture_output=True, text=True, encoding="utf-8", timeout=LIMIT)


@cache
def _home() -> tempfile.TemporaryDirectory:
    """Gone when this process ends."""
    return tempfile.TemporaryDirectory(ignore_cleanup_errors=True)


@cache
def _environ() -> dict[str, str]:
    programs = pins.venv_python(environment()).parent
    names = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    quiet = {"COMFY_CLI_NO_REMOTE_REFRESH": "1", "DO_NOT_TRACK": "1", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    environ = dict(os.environ) | dict.fromkeys(names, _home().name) | quiet
    environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([programs / "comfy", "tracking", "disable"], env=environ, capture_output=True, timeout=LIMIT)
    return environ
