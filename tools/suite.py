"""`dev.py test`: ruff, then the tests of scripts, without ComfyUI, inside it, and in a browser, each a process."""

import os
import time
from collections.abc import Sequence

from tools import browser, child, script_tests
from tools.host import Host

PARTS = {
    "lint": ("ruff", "check", "."),
    "scripts": ("tools.script_tests",),
    "unit": ("pytest", "tests/unit"),
    "host": ("pytest", "tests/host"),
    "browser": ("tools.browser_tests",),
}
NEEDS = {"scripts": script_tests, "browser": browser}


def run(host: Host, only: str | None, arguments: Sequence[str]) -> int:
    """Returns 0 if the one part passes, or all do; `arguments` go to that part, or to pytest.

    One that fails does not stop the others. What a part needs and this machine lacks fails it if it is asked for; else the part
    is left out.
    """
    verdicts, failed = {}, False
    for name in [only] if only else PARTS:
        if name != only and name in NEEDS and (lacking := NEEDS[name].missing()):
            verdicts[name] = f"not run: no {', '.join(lacking)} here"
            continue
        code, seconds = part(host, name, arguments if only or PARTS[name][0] == "pytest" else ())
        verdicts[name] = f"{verdict(code)} in {seconds:.1f} s"
        failed = failed or code != 0
    print(" | ".join(f"{name}: {said}" for name, said in verdicts.items()))
    return int(failed)


def part(host: Host, name: str, arguments: Sequence[str]) -> tuple[int, float]:
    """Exit code and seconds."""
    module = PARTS[name][0]
    print(f"== {name}: {module}", flush=True)
    started = time.monotonic()
    command = [str(host.python), "-m", *PARTS[name], *arguments]
    code = child.foreground(command, os.environ | {"COMFYUI_PATH": str(host.comfyui)})
    seconds = time.monotonic() - started
    print(f"== {name}: {verdict(code)} in {seconds:.1f} s\n", flush=True)
    return code, seconds


def verdict(code: int) -> str:
    return "passed" if code == 0 else f"FAILED ({code})"
