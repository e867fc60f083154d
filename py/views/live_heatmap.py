"""Spectral Tension of every block and step while the run goes on: a small picture that fills up, without matplotlib.

Temporal State Transport in Video Generation (Tang et al.), figure D.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..core.trace import Record
from .quantities import tension

WIDTH, HEIGHT, TALLEST = 480, 320, 40  # pixels: of all steps at least, of all blocks, of one block at most
MARGIN, CAPTION, FONT = 8, 30, 15
GAP, ROOM_FOR_GAP = 1, 10  # between two cells, where a cell has so many pixels
PAPER, INK = (22, 24, 29), (230, 230, 230)
TO_COME, MISSING = (53, 57, 66), (200, 200, 200)  # cells of steps to come, and of steps without a value
SMALLEST = 1e-3  # reach of the colours: a run without tension is white, not noise in full colour

# ColorBrewer's RdBu from its blue end to its red one, as in the heatmaps that matplotlib draws.
BLUE_TO_RED = torch.tensor([
    (5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), (247, 247, 247),
    (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31),
], dtype=torch.float32)  # fmt: skip


class LiveHeatmap:
    """T = H_row - H_vN as the model made it (Eq. 3): blocks downwards, steps to the right, means over samples and branches.

    Colours span what was seen so far, alike on both sides of 0: red where frames mix too much, blue where they are kept apart.
    """

    def __init__(self, blocks: int):
        self._total = torch.zeros(blocks, 1)
        self._count = torch.zeros(blocks, 1)
        self._steps_over = 0

    def add(self, records: Sequence[Record]) -> None:
        """Takes records; those without frame attention count for nothing."""
        for record in records:
            step, block = record.step, record.site.block
            if self._total.shape[1] != step.total:
                self._total, self._count = (torch.zeros(len(self._total), step.total) for _ in range(2))
            self._steps_over = max(self._steps_over, step.index + 1)
            if "h_row" in record.values:
                self._total[block, step.index] += tension(record, after=False)
                self._count[block, step.index] += 1

    def draw(self) -> Image.Image:
        """The picture so far, about 500 pixels wide."""
        cells = torch.where(self._count > 0, self._total / self._count, torch.nan)
        reach = max(float(cells.nan_to_num(0).abs().max()), SMALLEST)
        body = _enlarged(_coloured(cells, reach, self._steps_over))
        page = Image.new("RGB", (body.shape[1] + 2 * MARGIN, body.shape[0] + CAPTION + MARGIN), PAPER)
        page.paste(Image.fromarray(body.numpy()), (MARGIN, CAPTION))
        caption = f"Spectral Tension, {self._steps_over} of {cells.shape[1]} steps, blue -{reach:.3f} to red +{reach:.3f}"
        ImageDraw.Draw(page).text((MARGIN, CAPTION / 2), caption, INK, ImageFont.load_default(FONT), anchor="lm")
        return page


def _coloured(cells: Tensor, reach: float, steps_over: int) -> Tensor:
    """[blocks, steps] -> [blocks, steps, 3] bytes."""
    places = (cells.nan_to_num(0) / reach + 1) / 2 * (len(BLUE_TO_RED) - 1)
    below = places.floor().clamp(0, len(BLUE_TO_RED) - 2).long()
    colours = torch.lerp(BLUE_TO_RED[below], BLUE_TO_RED[below + 1], (places - below).unsqueeze(-1)).round().byte()
    colours[cells.isnan()] = torch.tensor(MISSING, dtype=torch.uint8)
    colours[:, steps_over:] = torch.tensor(TO_COME, dtype=torch.uint8)
    return colours


def _enlarged(colours: Tensor) -> Tensor:
    """Each cell as a rectangle, with a line around it where there is room."""
    blocks, steps, _ = colours.shape
    height, width = max(1, min(HEIGHT // blocks, TALLEST)), -(-WIDTH // steps)
    picture = colours.repeat_interleave(height, 0).repeat_interleave(width, 1)
    for axis, size in enumerate((height, width)):
        if size >= ROOM_FOR_GAP:
            lines = torch.arange(size - GAP, picture.shape[axis], size)
            picture.index_fill_(axis, lines, PAPER[0])
    return picture
