"""Which ComfyUI to use and with which Python: the user's own at COMFYUI_PATH, else one made for this pack."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools import install, pins
from tools.errors import ChoreError

TO_RUN = ("torch", "aiohttp", "yaml", "matplotlib")
TO_TEST = (*TO_RUN, "pytest", "ruff")

# Prints the names that cannot be imported. A package that is there but broken counts as missing.
TRY_IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception:
        print(name)
"""


@dataclass(frozen=True)
class Host:
    comfyui: Path
    python: Path
    users_own: bool


def locate(environ: Mapping[str, str] = os.environ) -> Host:
    """The user's own installation if COMFYUI_PATH names one, else the place of the made one, whether it is there yet or not."""
    if environ.get("COMFYUI_PATH"):
        return users_own(environ)
    place = pins.place(environ)
    return Host(place.comfyui, place.python, users_own=False)


def ready(environ: Mapping[str, str] = os.environ) -> Host:
    """A host that can be used: what is not the user's own is made first, if that was not done before."""
    host = locate(environ)
    if not host.users_own:
        install.ensure(pins.place(environ))
    return host


def users_own(environ: Mapping[str, str], running: Path = Path(sys.executable)) -> Host:
    comfyui = Path(environ["COMFYUI_PATH"]).expanduser().absolute()
    if not all((comfyui / name).is_file() for name in ("main.py", "comfyui_version.py")):
        raise ChoreError(
            "COMFYUI_PATH to be a ComfyUI folder, with main.py and comfyui_version.py in it",
            str(comfyui),
            "Correct it, or unset it to have a ComfyUI made for this pack.",
        )
    return Host(comfyui, python_of(comfyui, environ, running), users_own=True)


def python_of(comfyui: Path, environ: Mapping[str, str], running: Path) -> Path:
    """COMFYUI_PYTHON, else that of the environment inside, of the portable build, of the active environment, of this process."""
    if chosen := environ.get("COMFYUI_PYTHON"):
        return Path(chosen).expanduser().absolute()
    likely = [pins.venv_python(comfyui / name) for name in ("venv", ".venv")]
    likely.append(comfyui.parent / "python_embeded" / "python.exe")
    if active := environ.get("VIRTUAL_ENV"):
        likely.append(pins.venv_python(Path(active)))
    return next((python for python in likely if python.exists()), running)


def require(host: Host, modules: tuple[str, ...]) -> None:
    """Raises if the user's own Python cannot import them. Nothing is ever installed there."""
    if not host.users_own:
        return  # tried when it was made
    if missing := unimportable(host.python, modules):
        raise ChoreError(f"{', '.join(modules)} in {host.python}", f"no {', '.join(missing)}", what_to_do(host, missing))


def unimportable(python: Path, modules: tuple[str, ...]) -> list[str]:
    try:
        tried = subprocess.run([str(python), "-c", TRY_IMPORTS, *modules], capture_output=True, text=True)
    except OSError as error:
        raise ChoreError("the Python of your ComfyUI", str(error), "Set COMFYUI_PYTHON to it.") from error
    return [name for name in modules if name in tried.stdout.split()] if tried.returncode == 0 else list(modules)


def what_to_do(host: Host, missing: list[str]) -> str:
    if "torch" in missing:
        return "That is not the Python that runs your ComfyUI: set COMFYUI_PYTHON to it."
    files = " ".join(f'-r "{file}"' for file in (host.comfyui / "requirements.txt", *pins.REQUIREMENTS))
    return f'Nothing is installed into your own ComfyUI; to do it yourself: "{host.python}" -m pip install {files}'
