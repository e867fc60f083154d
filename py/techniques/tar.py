"""Temporal Attention Regularization: a band between frames is added to the scores, so that far frames may differ more.

VSTAR: Generative Temporal Nursing for Longer Dynamic Video Synthesis (Li et al.), section 3.3.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..core.attention import Attention
from ..core.checks import finite, one_of
from ..core.errors import TemporalAttentionError
from ..core.events import Forward
from ..core.intervention import Intervention, Window
from ..core.similarity import FrameSimilarity
from ..maths import band, row_max

SCALES = ("row max", "row max, signed", "map max", "row max - row mean")
SIGMA_UNITS = ("share of frames", "latent frames")
EARLY_END = 0.56  # from the authors' code: 14 of 25 steps. With "simple" at shift 5, 7 or 8 a 15th begins here, and acts

log = logging.getLogger("temporal_attention")


@dataclass(frozen=True, kw_only=True)
class TemporalAttentionRegularization(Intervention):
    """softmax(scores + strength * scale * matrix) with matrix_ij = exp(-((j - i) / sigma)^2 / 2) between frames (Eq. 2 and 3).

    The paper's on attention over time alone; on attention over the whole video our extension, which its authors leave out. There
    every key of frame j gets what frame j gets, and text and reference tokens get nothing. Each row of the matrix is taken less
    its mean: softmax over the video does not see that, and beside text tokens the video keeps its share.

    Args:
        strength: 0 is neutral; 1 the paper on temporal layers; negative values calm.
        sigma: width of the band in `sigma_unit`: "share of frames" or "latent frames".
        scale: what the matrix is multiplied by, of the scores of a query over the video's keys: "row max" (the authors' code, but
            never below 0), "row max, signed" (their code to the letter), "map max" (Eq. 3 to the letter: of all queries of a
            head, and of a position in a temporal layer) or "row max - row mean". Exact in temporal layers, else estimated.
        similarity: the matrix between frames of a reference video instead of the band; it is resampled to the latent frames.
        levels: in a UNet, how many times narrower than the widest the layers are to be: {1} is the paper's D1. None = all.
    """

    strength: float = 0.1
    sigma: float = 0.5
    sigma_unit: str = SIGMA_UNITS[0]
    scale: str = SCALES[0]
    similarity: FrameSimilarity | None = None
    levels: frozenset[int] | None = None
    window: Window = field(default_factory=lambda: Window(0.0, EARLY_END))

    def __post_init__(self):
        finite("strength", self.strength)
        if not self.sigma > 0:
            raise TemporalAttentionError("a sigma above 0", f"{self.sigma:g}", "1 latent frame is the paper's value.")
        for name, allowed in (("scale", SCALES), ("sigma_unit", SIGMA_UNITS)):
            one_of(name, getattr(self, name), allowed)

    @classmethod
    def neutral(cls) -> TemporalAttentionRegularization:
        """strength = 0: nothing is added."""
        return cls(strength=0.0)

    def acts(self) -> bool:
        """False at strength 0."""
        return self.strength != 0.0

    @property
    def described(self) -> str:
        """The settings in words."""
        unit = " of the frames" if self.sigma_unit == SIGMA_UNITS[0] else " latent frames"
        shape = f"sigma {self.sigma:g}{unit}" if self.similarity is None else f"similarity by {self.similarity.source}"
        levels = "" if self.levels is None else f", {' + '.join(f'D{level}' for level in sorted(self.levels))}"
        return f"strength {self.strength:g} of the {self.scale}, {shape}{levels}"

    def before(self, call: Attention) -> Attention:
        """Adds strength * scale(query) * matrix[frame of the query, frame of the key] to the scores, as two narrow factors."""
        grid = call.forward.grid
        if self.levels is not None and grid.level not in self.levels:
            return call
        height = self.strength * self._scale(call)
        call.note("band_height", height.mean((1, 2, 3)))
        a, b = self._factors(call.forward, call.q.device)
        queries = (height.unsqueeze(-1) * a.unsqueeze(1)).expand(-1, -1, grid.frames, grid.spatial, -1)
        keys = b.unsqueeze(1).expand(1, 1, grid.frames, grid.spatial, -1)
        return call.biased(grid.among_tokens(queries), grid.among_tokens(keys.to(call.k.dtype)))

    def matrix(self, frames: int, window: tuple[int, ...] | None = None, whole: int = 0) -> np.ndarray:
        """The matrix [F, F] float64 as the source has it, for a forward of `frames`, or for a window of `whole` frames."""
        places = window or tuple(range(frames))
        if self.similarity is None:
            share = self.sigma_unit == SIGMA_UNITS[0]
            return band.gaussian(places, self.sigma * frames if share else self.sigma)
        return band.resampled(self.similarity.matrix.numpy(), whole or frames)[np.ix_(places, places)]

    def _factors(self, forward: Forward, device: torch.device) -> tuple[Tensor, Tensor]:
        """The centred matrix as factors [F, r] float32 on the device, made once a run: inside a block nothing may wait for it."""
        given = forward.grid.frames, forward.frames, forward.whole
        key = (self, *given, device)
        if key not in forward.memory:
            self._tell(forward)
            found = band.factors(band.centred(self.matrix(*given)))
            with torch.inference_mode(False):  # what is kept must serve gradient passes too
                made = (torch.from_numpy(factor).float().to(device, non_blocking=True) for factor in found)
                forward.memory[key] = tuple(made)
        return forward.memory[key]

    def _tell(self, forward: Forward) -> None:
        """Says once a run if the matrix of a reference video is stretched."""
        key = self, "resampled", forward.whole
        if self.similarity is None or len(self.similarity.matrix) == forward.whole or key in forward.memory:
            return
        forward.memory[key] = True
        log.info("Temporal Attention: %d frames of similarity are resampled to %d.", len(self.similarity.matrix), forward.whole)

    def _scale(self, call: Attention) -> Tensor:
        """[B, H, F or 1, S or 1] float32."""
        measure, axes = (row_max.over_frames, (2,)) if call.site.kind == "temporal" else (row_max.over_video, (2, 3))
        scores = measure(*map(call.forward.grid.by_frame, (call.q, call.k)), call.scale)
        if self.scale == "row max, signed":
            return scores.largest
        if self.scale == "row max - row mean":
            return scores.largest - scores.mean
        return (scores.largest.amax(axes, keepdim=True) if self.scale == "map max" else scores.largest).clamp(min=0)
