"""Which video tokens are meant: the first latent frame, the boundaries of the later ones, and what lies between.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), Eq. 4. Regions are slices, so that nothing has to
be kept on a device: in tokens [..., F, S, ...] a region (frames, tokens) is [..., frames, tokens, ...].
"""

from __future__ import annotations

import math

Region = tuple[slice, slice]

ALL_TOKENS: Region = (slice(None), slice(None))
FIRST_FRAME: Region = (slice(0, 1), slice(None))
LATER = slice(1, None)
MOST_PERCENT = 50.0
DIGITS = 9  # a percentage of a whole number is not exact in floats: 7 tokens must not become 8


def boundary_size(spatial: int, percent: float) -> int:
    """Tokens at each end of a frame of `spatial` tokens: `percent` of them, rounded up.

    Up, so that 50 % is every token also where their number is odd (in the paper's Fig. A1a p = 50 selects them all), and
    any p above 0 marks at least one token in a small frame.
    """
    return math.ceil(round(percent * spatial / 100, DIGITS))


def boundary(spatial: int, percent: float) -> tuple[Region, Region]:
    """B(p): the head and the tail of every latent frame after the first (Eq. 4), in row-major order; they never overlap."""
    size = boundary_size(spatial, percent)
    return (LATER, slice(0, size)), (LATER, slice(max(size, spatial - size), None))


def interior(spatial: int, percent: float) -> Region:
    """The tokens of the later latent frames that are in neither boundary; none at 50 %."""
    size = boundary_size(spatial, percent)
    return LATER, slice(size, spatial - size)
