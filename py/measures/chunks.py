"""Chunk consistency: neighbouring frames across a latent frame's border against those within one (STAS, Sec. 4, Table 2).

A video VAE decodes its first latent frame to one frame and every later one to r frames, so latent frame f > 0 holds the frames
1 + (f - 1) r to f r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..core.errors import TemporalAttentionError


@dataclass(frozen=True)
class ChunkConsistency:
    """Similarity of each frame with the next.

    Args:
        similarity: [F - 1], at most 1; entry i is for the frames i and i + 1.
        crosses: [F - 1] bool, whether a border between latent frames lies between the two.
        compression: frames that a latent frame but the first decodes to.
    """

    similarity: np.ndarray
    crosses: np.ndarray
    compression: int

    @property
    def cross(self) -> np.ndarray:
        """Similarities of the pairs that cross a border."""
        return self.similarity[self.crosses]

    @property
    def within(self) -> np.ndarray:
        """Similarities of the pairs within one latent frame."""
        return self.similarity[~self.crosses]

    @property
    def difference(self) -> float:
        """Mean across minus mean within: negative where the clip is cut at its borders."""
        return float(self.cross.mean() - self.within.mean())

    @property
    def dips(self) -> int:
        """Number of borders whose pair is less alike than both pairs beside it."""
        beside = np.pad(self.similarity, 1, constant_values=np.inf)
        return int(np.sum(self.crosses & (self.similarity < np.minimum(beside[:-2], beside[2:]))))


def chunk_consistency(similarity: Tensor, compression: int) -> ChunkConsistency:
    """Splits the similarities [F - 1] of consecutive frames at the borders of latent frames."""
    return ChunkConsistency(similarity.double().numpy(), np.arange(len(similarity)) % compression == 0, compression)


def temporal_compression(frames: int, latent: Tensor) -> int:
    """r of F = 1 + (latent frames - 1) r, from a decoded clip's length and the latent [B, C, latent frames, h, w] it came from.

    Raises TemporalAttentionError where the latent is no single video, has one frame, or cannot have decoded to that clip.
    """
    if latent.ndim != 5 or latent.shape[0] != 1:
        raise TemporalAttentionError(
            "the latent of one video, [1, channels, frames, height, width]",
            str(list(latent.shape)),
            "Pick one video from the batch with LatentFromBatch and ImageFromBatch, or leave samples unconnected.",
        )
    latent_frames = latent.shape[2]
    if latent_frames == 1:
        raise TemporalAttentionError("at least 2 latent frames", "1", "One latent frame has no border: use a longer video.")
    compression, rest = divmod(frames - 1, latent_frames - 1)
    if rest or not compression:
        raise TemporalAttentionError(
            f"1 + {latent_frames - 1} r frames from {latent_frames} latent frames",
            f"{frames}",
            "Connect the latent that exactly these frames were decoded from, uncut, or leave samples unconnected and set "
            "temporal_compression.",
        )
    if compression == 1:
        raise TemporalAttentionError(
            "a video VAE that decodes a latent frame to several frames",
            f"as many frames as latent frames, {frames}",
            "Every pair of frames crosses a border here, so there is nothing to compare.",
        )
    return compression
