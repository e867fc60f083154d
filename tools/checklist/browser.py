"""Points 24 and 25: the pack in the real frontend."""

import subprocess
import sys

from tools import ROOT, child, suite
from tools.checklist.examples import values
from tools.checklist.point import Missed, expect, expect_none, point
from tools.checklist.workbench import PICTURES, Workbench

PART = "browser"
LIMIT = 3600  # seconds


@point(24, "both kinds of canvas without an error; the editors work")
def both_canvases(bench: Workbench) -> str:
    for mode, found in bench.seen["modes"].items():
        faults = found["faults"] + [fault for one in found["examples"] for fault in one["faults"]]
        expect_none(faults, f"errors in {mode}")
    expect(any((ROOT / "js").rglob("*.js")), "there is no editor: no JavaScript in js/")
    editors = sorted(path.name for path in (ROOT / "tests" / "browser").glob("*.test.mjs"))
    command = child.leashed(sys.executable, "-m", *suite.PARTS[PART])
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
    if tried.returncode:
        raise Missed(f"browser tests: {tried.stdout[-500:]}")
    passed = [line for line in tried.stdout.splitlines() if line.startswith(("ℹ pass", "# pass"))]
    return f"{len(bench.examples)} examples in both without an error; {', '.join(editors)}: {' '.join(passed[-1:]) or 'passed'}"


@point(25, "the same prompts with our JavaScript shut off")
def without_javascript(bench: Workbench) -> str:
    with_it = {one["name"]: one["prompt"] for one in bench.seen["modes"]["classic"]["examples"]}
    without = {one["name"]: one["prompt"] for one in bench.seen["blocked"]}
    expect_none([name for name in with_it if values(with_it[name]) != values(without[name])], "prompts differ")
    return f"{len(with_it)} prompts; pictures of blueprints in {PICTURES.relative_to(ROOT)}"
