"""Chunk consistency in words."""

from __future__ import annotations

import numpy as np

from ..measures.chunks import ChunkConsistency

WORST = 5


def consistency_report(found: ChunkConsistency, by: str) -> str:
    """Plain text, one fact a line.

    Args:
        by: what the similarity was measured by, such as SSIM.
    """
    pairs, borders = len(found.similarity), int(found.crosses.sum())
    return "\n".join(
        [
            f"{pairs + 1} frames, counted from 0; {borders + 1} latent frames, of {found.compression} frames each but the first",
            f"similarity of neighbouring frames by {by}, in percent",
            "",
            _kind(found, found.crosses, "across a border"),
            _kind(found, ~found.crosses, "within a latent frame"),
            f"across minus within: {100 * found.difference:+.3f} points",
            f"less alike than both neighbouring pairs: {found.dips} of {borders} borders (by chance about a third)",
            "",
            _worst(found),
        ]
    )


def _kind(found: ChunkConsistency, chosen: np.ndarray, name: str) -> str:
    percent = 100 * found.similarity[chosen]
    return f"{name}: pairs {len(percent)}, mean {percent.mean():.3f}, lowest {percent.min():.3f}"


def _worst(found: ChunkConsistency) -> str:
    where = np.argsort(found.similarity, kind="stable")[:WORST]
    named = [f"{i}-{i + 1} {100 * found.similarity[i]:.3f} ({'across' if found.crosses[i] else 'within'})" for i in where]
    return "least alike: frames " + ", ".join(named)
