"""Starts other Python processes: in the foreground, or quietly into a log with a line now and then."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tools import ROOT

GRACE = 15.0  # seconds for a child's own clean-up after Ctrl-C


def leashed(python: Path, *arguments: str | Path) -> list[str]:
    """The command line of a Python script, or of `-m` and a module, that ends when this process does."""
    return [str(python), str(ROOT / "tools" / "leash.py"), str(os.getpid()), *map(str, arguments)]


def foreground(command: list[str], environ: Mapping[str, str]) -> int:
    """Runs it in the project's root; returns its exit code. Ctrl-C reaches the child too: wait for its clean-up."""
    process = subprocess.Popen(command, cwd=ROOT, env=environ)
    try:
        return process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


def into_log(
    command: list[str], log: Path, environ: Mapping[str, str], on_beat: Callable[[float], None], every: float = 15.0
) -> int:
    """Runs it with its output appended to `log`; calls `on_beat(seconds so far)` every `every` seconds; returns its exit code."""
    started = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environ)
    try:
        while True:
            try:
                return process.wait(every)
            except subprocess.TimeoutExpired:
                on_beat(time.monotonic() - started)
    except BaseException:
        process.kill()
        process.wait()
        raise
