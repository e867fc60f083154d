"""Named arrays and facts in one safetensors file: arrays as tensors, what is no array as JSON in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..core.errors import TemporalAttentionError

BROKEN = (SafetensorError, KeyError, IndexError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Format:
    """A kind of file: the metadata `key` that marks it, the newest `version` of its layout, and two texts for errors."""

    key: str
    version: int
    what: str
    mend: str

    def save(self, path: Path, facts: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> None:
        """Writes the file, replacing one of that name only once the new one is complete."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        save_file(dict(arrays), unfinished, {self.key: json.dumps({"version": self.version, **facts}, default=str)})
        unfinished.replace(path)

    def load(self, path: Path) -> tuple[dict, dict[str, np.ndarray]]:
        """(facts, arrays). Raises TemporalAttentionError where the file is damaged, something else, or from a later version."""
        try:
            with safe_open(path, framework="numpy") as file:
                facts = json.loads((file.metadata() or {})[self.key])
                arrays = {name: file.get_tensor(name) for name in file.keys()}
            version = int(facts.pop("version"))
        except BROKEN as error:
            raise self.refusal(path, error) from error
        if version > self.version:
            raise TemporalAttentionError(
                f"{self.what} of file version {self.version} or earlier",
                f"{path.name} of version {version}",
                "It was written by a newer version of this pack: update the pack.",
            )
        return facts, arrays

    def refusal(self, path: Path, error: Exception) -> TemporalAttentionError:
        """What to raise where a file cannot be what it should be."""
        return TemporalAttentionError(
            f"{self.what} that this pack wrote", f"{path.name}, which is damaged or something else ({error})", self.mend
        )
