"""The massive-activation profile of a network: the peak of every channel after each block, and what follows from it.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), A.1 and A.2. Peaks are averaged over rows; the
paper averages |x| over prompts before it takes the peak, which needs all tokens of all channels kept. A massive channel peaks
at the same tokens for every prompt, so its peak is the same; the others' mean comes out no smaller, so the ratio errs low.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import TemporalAttentionError
from ..maths.massive_activations import massive


@dataclass(frozen=True, eq=False)
class MassiveProfile:
    """What was measured on one network.

    Args:
        family, blocks: the network's family and its number of blocks.
        peaks: block -> [C] largest |x| of each channel over the video tokens, float32, averaged over rows.
        rows: how many batch rows (prompts, samples, steps) were averaged.
        measured: when it was measured, in words.

    Raises TemporalAttentionError where the peaks are no peaks.
    """

    family: str
    blocks: int
    peaks: Mapping[int, np.ndarray]
    rows: int
    measured: str

    def __post_init__(self):
        if not self.peaks or self.rows < 1 or not all(0 <= block < self.blocks for block in self.peaks):
            raise TemporalAttentionError(
                "peaks from blocks of the network", f"blocks {sorted(self.peaks)} of {self.blocks}", "Measure the model again."
            )
        for block, peaks in self.peaks.items():
            if peaks.ndim != 1 or not peaks.size or not (np.isfinite(peaks) & (peaks >= 0)).all():
                raise TemporalAttentionError(
                    "a finite peak of |x| for each channel",
                    f"something else after block {block}",
                    "If the video is black or pure noise the run diverged: check the model, or steer less.",
                )

    @property
    def hidden(self) -> dict[int, int]:
        """block -> number of channels."""
        return {block: len(peaks) for block, peaks in self.peaks.items()}

    def massive(self, block: int) -> tuple[int, ...]:
        """The massive channels after a block, the strongest first."""
        peaks = self.peaks[block]
        found = np.flatnonzero(massive(peaks))
        return tuple(int(channel) for channel in found[np.argsort(-peaks[found])])

    def to_steer(self, wanted: int) -> tuple[int, tuple[int, ...]] | None:
        """(block, channels): the block with massive channels that is nearest to the wanted one; None without any."""
        blocks = sorted((block for block in self.peaks if self.massive(block)), key=lambda block: (abs(block - wanted), block))
        return (blocks[0], self.massive(blocks[0])) if blocks else None

    def averaged_with(self, other: MassiveProfile) -> MassiveProfile:
        """Both profiles as one, each with the weight of its rows. Raises TemporalAttentionError where they do not fit."""
        other.check_fits(self.family, self.blocks, self.hidden)
        if set(other.peaks) != set(self.peaks):
            raise TemporalAttentionError(
                f"profiles of the same blocks ({sorted(self.peaks)})", f"{sorted(other.peaks)}", "Record the same blocks in both."
            )
        rows = self.rows + other.rows
        peaks = {b: ((self.rows * p + other.rows * other.peaks[b]) / rows).astype(np.float32) for b, p in self.peaks.items()}
        return replace(self, peaks=peaks, rows=rows)

    def check_fits(self, family: str, blocks: int, hidden: Mapping[int, int]) -> None:
        """Raises TemporalAttentionError where a network is not of the measured shape; `hidden`: block -> channels."""
        here = {block: hidden.get(block, size) for block, size in self.hidden.items()}
        if (family, blocks, here) != (self.family, self.blocks, self.hidden):
            raise TemporalAttentionError(
                f"the massive-activation profile of this model ({_shape(family, blocks, hidden)})",
                f"that of a different one ({_shape(self.family, self.blocks, self.hidden)})",
                "Load the profile of this model, or measure it with Massive Activations.",
            )


def _shape(family: str, blocks: int, hidden: Mapping[int, int]) -> str:
    sizes = " and ".join(map(str, sorted(set(hidden.values()))))
    return f"{family}, {blocks} blocks, hidden size {sizes}"
