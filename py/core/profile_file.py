"""Massive-activation profiles as files: one safetensors file each, what is no array as JSON in its metadata."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .errors import TemporalAttentionError
from .profile import MassiveProfile

KEY = "temporal_attention_massive_profile"
VERSION = 1
BLOCK = "block."


def save(profile: MassiveProfile, path: Path) -> None:
    """Writes the file, replacing one of that name only once the new one is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"version": VERSION, "family": profile.family, "blocks": profile.blocks}
    facts |= {"rows": profile.rows, "measured": profile.measured}
    unfinished = path.with_suffix(".unfinished")
    save_file({f"{BLOCK}{block}": peaks for block, peaks in profile.peaks.items()}, unfinished, {KEY: json.dumps(facts)})
    unfinished.replace(path)


def load(path: Path) -> MassiveProfile:
    """Reads a file. Raises TemporalAttentionError where it is damaged or is no profile."""
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})[KEY])
            peaks = {int(name.removeprefix(BLOCK)): file.get_tensor(name) for name in file.keys()}
        if facts.pop("version") != VERSION:
            raise KeyError("version")
        return MassiveProfile(peaks=peaks, **facts)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise TemporalAttentionError(
            "a massive-activation profile that this version wrote",
            f"{path.name}, which is damaged or something else ({error})",
            "Measure the model again and save the profile under this name.",
        ) from error
