"""`dev.py test`: ruff, then the tests without ComfyUI, then those inside it, each a process of its own."""

import os
import time
from collections.abc import Sequence

from tools import child
from tools.host import Host

PARTS = {
    "lint": ("ruff", "check", "."),
    "unit": ("pytest", "tests/unit"),
    "host": ("pytest", "tests/host"),
}


def run(host: Host, names: Sequence[str], pytest_arguments: Sequence[str]) -> int:
    """Returns 0 if all parts pass. One that fails does not stop the others."""
    results = {name: part(host, name, pytest_arguments) for name in names}
    print(" | ".join(f"{name}: {verdict(code)} in {seconds:.1f} s" for name, (code, seconds) in results.items()))
    return max(code != 0 for code, _ in results.values())


def part(host: Host, name: str, pytest_arguments: Sequence[str]) -> tuple[int, float]:
    """Exit code and seconds."""
    module, *arguments = PARTS[name]
    more = pytest_arguments if module == "pytest" else ()
    print(f"== {name}: {module}", flush=True)
    started = time.monotonic()
    command = [str(host.python), "-m", module, *arguments, *more]
    code = child.foreground(command, os.environ | {"COMFYUI_PATH": str(host.comfyui)})
    seconds = time.monotonic() - started
    print(f"== {name}: {verdict(code)} in {seconds:.1f} s\n", flush=True)
    return code, seconds


def verdict(code: int) -> str:
    return "passed" if code == 0 else f"FAILED ({code})"
