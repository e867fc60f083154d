"""Massive-activation profiles as files."""

from __future__ import annotations

from pathlib import Path

from .files import BROKEN, Format
from .profile import MassiveProfile

KEY = "temporal_attention_massive_profile"
FORMAT = Format(KEY, 1, "a massive-activation profile", "Measure the model again and save the profile under this name.")
BLOCK = "block."


def save(profile: MassiveProfile, path: Path) -> None:
    """Writes the file, replacing one of that name only once the new one is complete."""
    facts = {"family": profile.family, "blocks": profile.blocks, "rows": profile.rows, "measured": profile.measured}
    FORMAT.save(path, facts, {f"{BLOCK}{block}": peaks for block, peaks in profile.peaks.items()})


def load(path: Path) -> MassiveProfile:
    """Reads a file. Raises TemporalAttentionError where it is damaged, no profile, or from a later version."""
    facts, arrays = FORMAT.load(path)
    try:
        return MassiveProfile(peaks={int(name.removeprefix(BLOCK)): peaks for name, peaks in arrays.items()}, **facts)
    except BROKEN as error:
        raise FORMAT.refusal(path, error) from error
