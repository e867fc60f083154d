"""Traces that are kept as files."""

from __future__ import annotations

from pathlib import Path

from ..py.core.errors import TemporalAttentionError
from ._files import SUFFIX, checked, folder, known_names, plain_name

FOLDER = "traces"


def trace_path(name: str) -> Path:
    """The file of that name or path, or the newest that Save Trace numbered from it. Raises TemporalAttentionError for none."""
    kept = folder(FOLDER)
    name = plain_name(name, kept)
    numbered = sorted(kept.glob(f"{checked(name)}_[0-9]*_{SUFFIX}"), key=lambda path: int(path.stem.rsplit("_", 2)[1]))
    for path in (kept / f"{name}{SUFFIX}", *reversed(numbered)):
        if path.is_file():
            return path
    known = ", ".join(known_names(kept)) or "none yet"
    raise TemporalAttentionError(
        f"the name of a trace in {kept} ({known})", repr(name), "Save one first, or choose one of these."
    )


def matching(pattern: str) -> dict[str, Path]:
    """{what * stands for: file} of the saved traces that fit, sorted. Raises TemporalAttentionError where none does."""
    start, star, end = pattern.partition("*")
    kept = folder(FOLDER)
    checked(f"{start}x{end}x")
    names = [name for name in known_names(kept) if name.startswith(start) and name.endswith(end)]
    names = [name for name in names if (star and len(name) >= len(start + end)) or name == start]
    if not names:
        known = ", ".join(known_names(kept)) or "none yet"
        raise TemporalAttentionError(
            f"a pattern such as sth_* that matches a trace in {kept} ({known})",
            repr(pattern),
            "Save traces first, or change the pattern.",
        )
    return {name[len(start) : len(name) - len(end)]: kept / f"{name}{SUFFIX}" for name in names}
