"""Frame attention matrices of chosen blocks as a film over the steps, on one colour scale."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from .figure import figure, how_to_read, to_image
from .matrices import HOW_TO_READ, scale_label
from .matrix_cells import GAP_VALUE, MatrixCells, mosaic

MOST_BLOCKS, MOST_COLUMNS = 12, 4
ROOM, LARGEST_MATRIX, MARGIN = 6.6, 3.0, 1.1  # inches
HEAD = 0.22  # room for a block's name above its matrix, as a share of the matrix


def frame_matrix_film(cells: MatrixCells, title: str) -> Tensor:
    """[steps, height, 1024, 3] pictures, one a step: the matrices of at most 12 blocks, all steps on one colour scale."""
    cells = cells.thinned(MOST_BLOCKS, len(cells.steps))
    columns = min(len(cells.blocks), MOST_COLUMNS)
    rows = math.ceil(len(cells.blocks) / columns)
    head = max(1, math.ceil(HEAD * cells.size))
    colours, low, high = cells.scale()
    side = min(ROOM / columns, LARGEST_MATRIX)
    with figure(height=MARGIN + side * rows, title=title, layout="compressed") as drawing:
        axes = drawing.subplots()
        pages = [_page(cells.values[:, step], rows, columns, head) for step in range(len(cells.steps))]
        mesh = axes.imshow(pages[0], cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        axes.set_axis_off()
        for i, block in enumerate(cells.blocks):
            row, column = divmod(i, columns)
            place = column * (cells.size + head) - 0.5, row * (cells.size + head) + head - 0.8
            axes.text(*place, f"block {block}", va="bottom", fontsize=8)
        how_to_read(drawing, HOW_TO_READ.format(last=cells.size - 1))
        drawing.colorbar(mesh, ax=axes, label=scale_label(cells), pad=0.02, fraction=0.04)
        heading = drawing.suptitle(title, x=0.01, ha="left", fontweight="bold")
        images = []
        for page, step in zip(pages, cells.steps, strict=True):
            mesh.set_data(page)
            heading.set_text(f"{title}, step {step}")
            images.append(to_image(drawing))
            drawing.set_layout_engine("none")  # that of the first step is kept: nothing moves but the matrices
        return torch.cat(images)


def _page(matrices: np.ndarray, rows: int, columns: int, head: int) -> np.ma.MaskedArray:
    """[blocks, F, F] -> one array with a line of room above each row; places without a block are white as the room is."""
    size = matrices.shape[-1]
    empty = np.full((size, size), GAP_VALUE)
    places = [*matrices, *[empty] * (rows * columns - len(matrices))]
    page = mosaic([places[row * columns : (row + 1) * columns] for row in range(rows)], head)
    return np.ma.concatenate([np.full((head, page.shape[1]), GAP_VALUE), page])
