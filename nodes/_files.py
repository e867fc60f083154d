"""Files that nodes keep by name in ComfyUI's output folder."""

from __future__ import annotations

from pathlib import Path

import folder_paths

from ..py.core.errors import TemporalAttentionError

SUFFIX = ".safetensors"
LONGEST_NAME = 100
PUNCTUATION = " _-."


def folder(name: str) -> Path:
    """A folder of the output folder, which may not exist yet."""
    return Path(folder_paths.get_output_directory()) / name


def checked(name: str) -> str:
    """The name itself. Raises TemporalAttentionError where it is no plain file name."""
    plain = all(letter.isalnum() or letter in PUNCTUATION for letter in name)
    if not (plain and name[:1].isalnum() and (name[-1:].isalnum() or name[-1:] == "_") and len(name) <= LONGEST_NAME):
        raise TemporalAttentionError(
            f"a name of letters, digits, spaces, '_', '-' and '.', at most {LONGEST_NAME} of them, without a folder",
            repr(name),
            "Use a name such as wan_1.3b.",
        )
    return name


def plain_name(name: str, kept: Path) -> str:
    """The name itself, or that of a file in the folder `kept`, as a save node returns it."""
    path = Path(name)
    return path.name.removesuffix(SUFFIX) if path.is_absolute() and path.parent == kept else name


def numbered(folder: Path, name: str) -> Path:
    """A new file by the host's own rule: name_00001_, then name_00002_."""
    _, _, counter, _, _ = folder_paths.get_save_image_path(checked(name), str(folder))
    return folder / f"{name}_{counter:05}_{SUFFIX}"


def known_names(folder: Path) -> list[str]:
    """The names of the files that are kept in a folder, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def unknown() -> float:
    """The fingerprint of a linked name, which the host tells only when the node runs: equal to none, so the file is read anew."""
    return float("nan")
