"""Frame attention matrices of one run by block and step, or what changed between two runs, with their colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import TemporalAttentionError
from ..core.events import Branch
from ..core.trace import Trace
from .figure import DIVERGING, MISSING, SEQUENTIAL
from .quantities import chosen_records, frames

GAP = 0.12  # between two matrices, as a share of one
GAP_VALUE = 2.0  # above every share of attention and every change of one, so that the colour map paints it white


@dataclass(frozen=True)
class MatrixCells:
    """values: [blocks, steps, F, F] means over samples, branches and windows, NaN where nothing was recorded; what they are."""

    blocks: tuple[int, ...]
    steps: tuple[int, ...]
    values: np.ndarray
    change: bool = False

    @property
    def size(self) -> int:
        """F."""
        return self.values.shape[-1]

    def thinned(self, blocks: int, steps: int) -> MatrixCells:
        """At most so many blocks and steps, evenly spread."""
        rows, columns = _spread(len(self.blocks), blocks), _spread(len(self.steps), steps)
        kept = self.values[rows][:, columns]
        return MatrixCells(tuple(self.blocks[i] for i in rows), tuple(self.steps[i] for i in columns), kept, self.change)

    def minus(self, other: MatrixCells) -> MatrixCells:
        """What changed in the blocks and steps that both have. Raises TemporalAttentionError where they have none in common."""
        blocks, steps = (tuple(n for n in a if n in b) for a, b in ((self.blocks, other.blocks), (self.steps, other.steps)))
        if not blocks or not steps or self.size != other.size:
            raise TemporalAttentionError(
                "two runs of the same length with blocks and steps in common",
                f"{self.size} and {other.size} latent frames, {len(blocks)} common blocks, {len(steps)} common steps",
                "Record both with the same settings.",
            )
        one, two = (
            cells.values[[cells.blocks.index(b) for b in blocks]][:, [cells.steps.index(s) for s in steps]]
            for cells in (self, other)
        )
        return MatrixCells(blocks, steps, one - two, change=True)

    def scale(self) -> tuple[object, float, float]:
        """The colour map and its bounds: shares from 0 up, changes alike on both sides of 0."""
        import matplotlib

        known = self.values[np.isfinite(self.values)]
        top = float(np.abs(known).max()) or 1e-6
        colours = matplotlib.colormaps[DIVERGING if self.change else SEQUENTIAL]
        return colours.with_extremes(bad=MISSING, over="white"), -top if self.change else 0.0, top


def matrix_cells(
    trace: Trace, blocks: set[int] | None, steps: set[int] | None, branch: Branch | None, after: bool
) -> MatrixCells:
    """The matrices of chosen blocks and steps (None = all). Raises TemporalAttentionError where the trace holds none of them."""
    records = chosen_records(trace, branch, steps, blocks)
    size = max(len(frames(r, after)) for r in records)
    found: dict[tuple[int, int], list[np.ndarray]] = {}
    for r in records:
        matrix = frames(r, after)
        if len(matrix) == size:
            found.setdefault((r.site.block, r.step.index), []).append(matrix)
    rows, columns = (tuple(sorted({numbers(r) for r in records})) for numbers in (lambda r: r.site.block, lambda r: r.step.index))
    values = np.full((len(rows), len(columns), size, size), np.nan)
    for (block, step), matrices in found.items():
        values[rows.index(block), columns.index(step)] = np.mean(matrices, axis=0)
    return MatrixCells(rows, columns, values)


def mosaic(cells: Sequence[Sequence[np.ndarray]], gap: int) -> np.ma.MaskedArray:
    """All matrices of a page in one array, `gap` cells between them that the colour map paints white."""
    size = len(cells[0][0])
    period = size + gap
    page = np.full((period * len(cells) - gap, period * len(cells[0]) - gap), GAP_VALUE)
    for i, row in enumerate(cells):
        for j, matrix in enumerate(row):
            page[i * period : i * period + size, j * period : j * period + size] = matrix
    return np.ma.masked_invalid(page)


def gap(size: int) -> int:
    """Cells between two matrices of this size."""
    return max(1, round(GAP * size))


def _spread(count: int, most: int) -> list[int]:
    return list(range(count)) if count <= most else [round(i) for i in np.linspace(0, count - 1, most)]
