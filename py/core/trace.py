"""What was measured during one run: a record for each attention call or block output and batch row, kept on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from .events import Branch, CallNotes, Site, Step
from .latent import Iteration


@dataclass(frozen=True)
class Record:
    """The measurements of one attention call or block output for one batch row.

    `values` holds float32 arrays by name; what is measured per head has the heads first. `frames` are the frames
    of tokens of a context window among those of the whole video, or None.
    """

    step: Step
    site: Site
    branch: Branch
    sample: int
    frames: tuple[int, ...] | None
    values: Mapping[str, np.ndarray]

    def value(self, name: str, after: bool) -> np.ndarray:
        """What was measured as the model made it or, if an edit changed that, `after` all edits."""
        return self.values.get(f"after.{name}", self.values[name]) if after else self.values[name]

    def mean(self, *names: str) -> float:
        """The mean of the first of these values that there is; NaN where there is none."""
        return next((float(self.values[name].mean()) for name in names if name in self.values), math.nan)


@dataclass
class Trace:
    """All records of a run, what each intervention did in it, how the latent was optimised, and what else is known about the run
    (`facts`: JSON values by name).
    """

    family: str
    blocks: int
    records: list[Record] = field(default_factory=list)
    report: tuple[str, ...] = ()
    iterations: tuple[Iteration, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Size of all arrays in bytes."""
        return sum(array.nbytes for record in self.records for array in record.values.values())

    def holding(self, name: str) -> Trace:
        """The same run with only those records that hold a value of this name."""
        return replace(self, records=[r for r in self.records if name in r.values])

    def select(self, branch: Branch | None = None, steps: set[int] | None = None, blocks: set[int] | None = None) -> list[Record]:
        """The records of a branch, of some steps and of some blocks (None = all)."""
        return [
            r
            for r in self.records
            if (branch is None or r.branch is branch)
            and (steps is None or r.step.index in steps)
            and (blocks is None or r.site.block in blocks)
        ]

    def by_block_and_step(self, quantity: Callable[[Record], float], branch: Branch | None = None) -> np.ndarray:
        """[blocks, steps] means of a quantity over samples, windows and sub-steps; NaN where nothing was recorded."""
        steps = 1 + max((r.step.index for r in self.records), default=0)
        total, count = np.zeros((self.blocks, steps)), np.zeros((self.blocks, steps))
        for r in self.select(branch):
            value = quantity(r)
            if np.isfinite(value):
                total[r.site.block, r.step.index] += value
                count[r.site.block, r.step.index] += 1
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def to_records(calls: list[CallNotes]) -> list[Record]:
    """Brings the notes of one step to the CPU in a single copy and splits them into records."""
    arrays = iter(_to_cpu([note.value for call in calls for note in call.notes]))
    records = []
    for call in calls:
        rows: dict[int, dict[str, np.ndarray]] = {}
        for note in call.notes:
            for row, value in zip(note.rows, next(arrays), strict=True):
                rows.setdefault(row, {})[note.name] = value
        f = call.forward
        records += [
            Record(f.step, call.site, f.branches[row], f.samples[row], f.frames, values) for row, values in sorted(rows.items())
        ]
    return records


def _to_cpu(tensors: list[torch.Tensor]) -> list[np.ndarray]:
    """float32 copies of many small tensors, moved together: one wait for each device instead of one for each tensor."""
    found: dict[int, np.ndarray] = {}
    for device in {t.device for t in tensors}:
        same = [i for i, t in enumerate(tensors) if t.device == device]
        flat = torch.cat([tensors[i].detach().float().reshape(-1) for i in same]).cpu().numpy()
        ends = np.cumsum([tensors[i].numel() for i in same])[:-1]
        found.update((i, part.reshape(tensors[i].shape)) for i, part in zip(same, np.split(flat, ends), strict=True))
    return [found[i] for i in range(len(tensors))]
