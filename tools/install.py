"""Makes the host in the cache folder, once: phase after phase, alone, and from where an earlier start stopped.

Nothing is moved when it is done, because the scripts of a virtual environment contain its absolute path. Instead every
finished phase is written down, and a host is used only when all of them are.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools import child, lock, pins
from tools.diagnosis import explain
from tools.errors import ChoreError
from tools.phases import PHASES, TOTAL, Phase
from tools.pins import Place


def ensure(place: Place) -> None:
    """Returns at once if the host is there, else makes it; a second process waits for the first."""
    if not remaining(place):
        return
    check_python(sys.version_info[:2])
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        with lock.held(place.lock, lambda seconds: say(f"Another process is making the host; waiting ({seconds:.0f} s)")):
            if phases := remaining(place):
                make(place, phases)
    except OSError as error:
        do = "Fix that, or set TEMPORAL_ATTENTION_CACHE to another folder."
        raise ChoreError("to write in the cache folder", str(error), do) from error


def finished(place: Place) -> list[str]:
    """Names of the finished phases; none when the Python that the environment was made from has gone."""
    if not place.finished.exists() or not place.python.exists():
        return []
    return json.loads(place.finished.read_text(encoding="utf-8"))


def remaining(place: Place) -> list[Phase]:
    done = finished(place)
    return [phase for phase in PHASES if phase.name not in done]


def make(place: Place, phases: Sequence[Phase]) -> None:
    check_space(sum(phase.gigabytes for phase in phases), shutil.disk_usage(place.folder).free / 1e9, place.folder)
    if len(phases) == len(PHASES):
        say(f"Making the host, once: ComfyUI {pins.COMFYUI}, PyTorch and what they need ({TOTAL}), in {place.folder}")
    else:
        say(f"Going on with the host in {place.folder}: {len(phases)} of {len(PHASES)} phases are left")
    started = time.monotonic()
    done = [phase.name for phase in PHASES if phase not in phases]
    write_down(place, done)  # whatever else was written down is being made anew
    for phase in phases:
        run(place, phase)
        done.append(phase.name)
        write_down(place, done)
    shutil.rmtree(place.temporary, ignore_errors=True)
    say(f"The host is ready after {time.monotonic() - started:.0f} s")


def run(place: Place, phase: Phase) -> None:
    title = f"[{PHASES.index(phase) + 1}/{len(PHASES)}] {phase.name}"
    say(f"{title} ...")
    started = time.monotonic()
    shutil.rmtree(place.temporary, ignore_errors=True)
    place.temporary.mkdir()
    logged_before = place.log.stat().st_size if place.log.exists() else 0
    code = child.into_log(phase.command(place), place.log, variables(place), lambda seconds: say(f"{title} ... {seconds:.0f} s"))
    if code != 0:
        output = place.log.read_bytes()[logged_before:].decode(errors="replace")
        raise explain(output, phase.name, code, place.log)
    phase.after(place)
    say(f"{title}: done in {time.monotonic() - started:.0f} s")


def write_down(place: Place, names: list[str]) -> None:
    """Replaces the file in one step: a reader sees the old list or the new one."""
    new = place.finished.with_suffix(".new")
    new.write_text(json.dumps(names), encoding="utf-8")
    new.replace(place.finished)


def variables(place: Place) -> dict[str, str]:
    """pip's own settings stay; its downloads go to the disk whose space was checked, and no copy of them is kept."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(place.temporary))
    return kept | temporary | {"PIP_NO_CACHE_DIR": "1", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def check_python(version: tuple[int, int]) -> None:
    if not pins.OLDEST_PYTHON <= version <= pins.NEWEST_PYTHON:
        oldest, newest, came = (".".join(map(str, each)) for each in (pins.OLDEST_PYTHON, pins.NEWEST_PYTHON, version))
        raise ChoreError(f"Python {oldest} to {newest} for {pins.TORCH[0]}", f"Python {came}", "Run dev.py with one of those.")


def check_space(needed: float, free: float, folder: Path) -> None:
    """Both in gigabytes."""
    if free < needed:
        do = "Free some, or set TEMPORAL_ATTENTION_CACHE to a folder on another disk."
        raise ChoreError(f"{needed:.1f} GB of free disk space in {folder.parent}", f"{free:.1f} GB", do)


def say(line: str) -> None:
    print(line, flush=True)
