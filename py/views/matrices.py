"""Frame attention matrices of chosen blocks and steps, side by side on one colour scale."""

from __future__ import annotations

from torch import Tensor

from .figure import figure, how_to_read, to_image
from .matrix_cells import MatrixCells, gap, mosaic

MOST_COLUMNS, MOST_ROWS = 8, 12
ROOM, LARGEST_MATRIX, MARGIN = 6.6, 3.4, 1.0  # inches
HOW_TO_READ = "Each matrix: a row is a latent frame, a column the frame it attends to, both from 0 at the top left to {last}"


def frame_matrices(cells: MatrixCells, title: str) -> Tensor:
    """[1, height, 1024, 3] picture: a row of F x F matrices a block, a column a step; all steps and blocks thinned to fit."""
    cells = cells.thinned(MOST_ROWS, MOST_COLUMNS)
    side = min(ROOM / len(cells.steps), LARGEST_MATRIX)
    colours, low, high = cells.scale()
    with figure(height=MARGIN + side * len(cells.blocks), title=title, layout="compressed") as drawing:
        axes = drawing.subplots()
        between = gap(cells.size)
        mesh = axes.imshow(mosaic(cells.values, between), cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        how_to_read(drawing, HOW_TO_READ.format(last=cells.size - 1))
        _label(axes.xaxis, "step", cells.steps, cells.size, between)
        _label(axes.yaxis, "block", cells.blocks, cells.size, between)
        axes.spines[:].set_visible(False)
        drawing.colorbar(mesh, ax=axes, label=scale_label(cells), pad=0.02, fraction=0.04)
        return to_image(drawing)


def scale_label(cells: MatrixCells) -> str:
    """What the colours mean."""
    return "change of the share of attention" if cells.change else "share of attention"


def _label(axis, name: str, numbers: tuple[int, ...], size: int, between: int) -> None:
    places = [(size - 1) / 2 + i * (size + between) for i in range(len(numbers))]
    axis.set_ticks(places, [f"{name} {n}" for n in numbers])
    axis.set_tick_params(length=0)
