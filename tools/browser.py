"""The browser that drives the real frontend: a Chromium of the system, Node.js, and npm's playwright-core in this folder."""

import os
import shutil
from collections.abc import Mapping

from tools import ROOT, pins
from tools.errors import ChoreError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
INSTALL = f"npm install --prefix . --no-save --no-package-lock playwright-core@{pins.PLAYWRIGHT}"


def missing(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What is not there of it."""
    there = {
        "Chromium": chromium(environ),
        "Node.js": shutil.which("node"),
        "playwright-core": (ROOT / "node_modules" / "playwright-core").is_dir(),
    }
    return [name for name, found in there.items() if not found]


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables for a Node.js program that starts the browser. Raises ChoreError where something is missing."""
    if lacking := missing(environ):
        raise ChoreError(
            "Chromium, Node.js and playwright-core",
            f"no {', '.join(lacking)}",
            f"Install Chromium (CHROMIUM may say where it is) and Node.js, then run here: {INSTALL}",
        )
    return {**environ, "CHROMIUM": chromium(environ)}


def chromium(environ: Mapping[str, str]) -> str | None:
    return environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
