"""What Temporal Attention Regularization adds between frames, as matrices on one colour scale (figure S.13 of VSTAR)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .figure import caption, colours, figure, how_to_read, to_image

MOST = 6  # matrices
COLUMNS = 3
HEIGHTS = {1: 6.3, 2: 4.3, 3: 3.1}  # inches of a row of so many matrices
TITLE_WIDTHS = {1: 90, 2: 44, 3: 32}  # characters that fit above one
HOW_TO_READ = "row: attending frame, column: attended frame, both from 0 at the top left to {last}"


def regularization_matrices(named: Sequence[tuple[str, np.ndarray]]) -> Tensor:
    """[1, height, 1024, 3] picture of matrices [F, F] with a line of text each; the first 6 of them."""
    shown = named[:MOST]
    columns = min(len(shown), COLUMNS)
    rows = -(-len(shown) // columns)
    values = np.stack([matrix for _, matrix in shown])
    cmap, low, high = colours(values, 0.0 if values.min() < 0 < values.max() else None)
    more = f" (the first {MOST} of {len(named)})" if len(named) > MOST else ""
    title = f"Regularization matrix, in units of its scale{more}"
    with figure(height=HEIGHTS[columns] * rows, title=title, layout="compressed") as drawing:
        axes = np.atleast_1d(drawing.subplots(rows, columns)).ravel()
        for each in axes[len(shown) :]:
            each.set_axis_off()
        for each, (text, matrix) in zip(axes, shown, strict=False):
            mesh = each.imshow(matrix, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
            caption(each, textwrap.fill(text, TITLE_WIDTHS[columns]))
            each.set_xticks([0, len(matrix) - 1])
            each.set_yticks([0, len(matrix) - 1])
            each.spines[:].set_visible(False)
        how_to_read(drawing, HOW_TO_READ.format(last=values.shape[1] - 1))
        drawing.colorbar(mesh, ax=list(axes), label="added to the scores, times the scale", pad=0.02, fraction=0.04)
        return to_image(drawing)
