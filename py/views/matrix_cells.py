"""Frame attention matrices of one run by block and step, or what changed between two runs, with their colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..core.errors import TemporalAttentionError
from ..core.events import Branch
from ..core.trace import Record, Trace
from .figure import DIVERGING, SEQUENTIAL, colour_map
from .quantities import chosen_records, frames, frames_by_head

GAP = 0.12  # between two matrices, as a share of one
GAP_VALUE = 2.0  # above every share of attention and every change of one, so that the colour map paints it white


class HeadOf(NamedTuple):
    """One head of a block."""

    block: int
    head: int

    def __str__(self) -> str:
        return f"{self.block}, head {self.head}"


@dataclass(frozen=True)
class MatrixCells:
    """values: [blocks, steps, F, F] means over samples, branches and windows, NaN where nothing was recorded; what they are.

    Of whole blocks they are means over heads.
    """

    blocks: tuple[int | HeadOf, ...]
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
        known = self.values[np.isfinite(self.values)]
        top = float(np.abs(known).max()) or 1e-6
        colours = colour_map(DIVERGING if self.change else SEQUENTIAL, over="white")
        return colours, -top if self.change else 0.0, top


def matrix_cells(
    trace: Trace,
    blocks: set[int] | None,
    steps: set[int] | None,
    branch: Branch | None,
    after: bool,
    heads: set[int] | None = None,
) -> MatrixCells:
    """The matrices of chosen blocks and steps (None = all), averaged over heads, or of each of these heads by itself.

    Raises TemporalAttentionError where the trace holds none of them.
    """
    if heads is not None:
        trace = _with_heads(trace)
    found: dict[tuple[int | HeadOf, int], list[np.ndarray]] = {}
    for r in chosen_records(trace, branch, steps, blocks):
        for row, matrix in _matrices(r, after, heads):
            found.setdefault((row, r.step.index), []).append(matrix)
    size = max(len(matrix) for matrices in found.values() for matrix in matrices)
    rows, columns = (tuple(sorted(set(numbers))) for numbers in zip(*found, strict=True))
    values = np.full((len(rows), len(columns), size, size), np.nan)
    for (row, step), matrices in found.items():
        whole = [matrix for matrix in matrices if len(matrix) == size]
        if whole:
            values[rows.index(row), columns.index(step)] = np.mean(whole, axis=0)
    return MatrixCells(rows, columns, values)


def _with_heads(trace: Trace) -> Trace:
    kept = trace.holding("frames_by_head")
    if not kept.records:
        raise TemporalAttentionError(
            "a trace that kept the matrices of single heads",
            "one without",
            "Set their blocks in head_blocks of Trace Attention and run again, or leave heads empty for the mean over heads.",
        )
    return kept


def _matrices(record: Record, after: bool, heads: set[int] | None) -> list[tuple[int | HeadOf, np.ndarray]]:
    """Each row of the picture that a record belongs to, with its matrix."""
    if heads is None:
        return [(record.site.block, frames(record, after))]
    matrices = frames_by_head(record, after)
    if max(heads) >= len(matrices):
        raise TemporalAttentionError(
            f"heads from 0 to {len(matrices) - 1}", f"head {max(heads)}", "Choose heads that the model has."
        )
    return [(HeadOf(record.site.block, head), matrices[head]) for head in heads]


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
