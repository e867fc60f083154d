"""Records the peak of every channel of every block's output, and how the strongest channels lie along the video tokens.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), A.1 and Fig. 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..core.events import Block, Note
from ..core.intervention import Observer
from ..maths.massive_activations import channel_peaks, over_regions, pooled, strongest
from ..maths.token_regions import FIRST_FRAME, boundary, interior
from .block_settings import check_percent

CHANNELS = 8
MOST_VALUES = 4096  # of all profiles of a block and row: 16 KiB


@dataclass(frozen=True, kw_only=True)
class MassiveActivationRecorder(Observer):
    """Keeps, for each block and batch row, over the video tokens, after all interventions:

    peaks [C], the largest |x| of each channel; strongest [K], the K = 8 channels of highest peak (as floats); and of those
    profile [K, F, P], |x| along the tokens of each frame, averaged in P bins so that K F P stays within 4096 values;
    region.peaks and region.means [K, 3], the maximum and mean of |x| over the first frame, the boundaries (head and tail
    `percent` % of each later frame) and the interior, NaN where a region is empty; and spatial, the tokens of a frame.
    """

    percent: float = 8.0

    def __post_init__(self):
        check_percent(self.percent)

    def block_seen(self, call: Block) -> list[Note]:
        """Measures the block's output; nothing here waits for the device."""
        grid = call.forward.grid
        peaks = channel_peaks(call.x)
        channels, values = strongest(call.x, peaks, min(CHANNELS, call.x.shape[-1]))
        regions = ((FIRST_FRAME,), boundary(grid.spatial, self.percent), (interior(grid.spatial, self.percent),))
        highest, means = over_regions(values, grid.frames, regions)
        measured = {
            "peaks": peaks,
            "strongest": channels,
            "profile": pooled(values, grid.frames, bins(grid.frames, grid.spatial, channels.shape[-1])),
            "region.peaks": highest,
            "region.means": means,
            "spatial": torch.full((len(call.x),), float(grid.spatial), device=call.x.device),
        }
        return [Note(name, call.rows, value) for name, value in measured.items()]


def bins(frames: int, spatial: int, channels: int) -> int:
    """Equal parts into which the `spatial` tokens of each frame are pooled: as many as fit for so many channels, at least 1."""
    most = max(1, min(spatial, MOST_VALUES // (frames * channels)))
    return max(parts for parts in range(1, most + 1) if spatial % parts == 0)
