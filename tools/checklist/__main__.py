"""Checks the points, all or those whose numbers are given, and prints a line for each. Runs in the host's own Python."""

import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tools.checklist import browser, examples, package, runs, schemas, served  # noqa: F401  (they enter their points)
from tools.checklist.point import POINTS, Missed, NotHere, Point
from tools.checklist.workbench import Workbench, temporary
from tools.errors import ChoreError
from tools.examples.editing import VIDEO
from tools.examples.pictures import write_video
from tools.server import Server

PASS, FAIL, NOT_HERE = "pass", "FAIL", "cannot be checked here"


def main(numbers: Sequence[str]) -> int:
    chosen = [one for one in sorted(POINTS, key=lambda one: one.number) if not numbers or str(one.number) in numbers]
    states = []
    with temporary() as folder, Server(Path(folder) / "base", cpu=True) as server:
        write_video(server.base / "input" / VIDEO)
        bench = Workbench(server, Path(folder))
        for one in chosen:
            started = time.monotonic()
            state, evidence = judged(one, bench)
            states.append(state)
            print(f"{one.number:2} {state:4}  {one.text} ({time.monotonic() - started:.0f} s)\n         {evidence}", flush=True)
    print(", ".join(f"{states.count(state)} {state}" for state in (PASS, FAIL, NOT_HERE)))
    return int(FAIL in states)


def judged(one: Point, bench: Workbench) -> tuple[str, str]:
    """(state, evidence). A check that breaks has failed."""
    try:
        return PASS, one.check(bench)
    except Missed as missed:
        return FAIL, str(missed)
    except NotHere as reason:
        return NOT_HERE, str(reason)
    except Exception as error:  # noqa: BLE001  (the other points are still to be checked)
        place = traceback.extract_tb(error.__traceback__)[-1]
        return FAIL, f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ChoreError as error:
        sys.exit(str(error))
