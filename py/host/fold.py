"""Attention of a UNet over space or time alone: the other axis is folded into the batch, and unfolded for interventions."""

from __future__ import annotations

from dataclasses import dataclass

from einops import rearrange
from torch import Tensor

from ..core.events import Grid

BATCHES = {"temporal": "(b s) h f d", "spatial": "(b f) h s d"}  # kind of site -> q, k, v as the kernel gets them
WHOLE = "b h (f s) d"


@dataclass(frozen=True)
class Fold:
    """How the q, k, v and outputs of one call, heads first, lie in the kernel's batch; by default nothing is folded."""

    pattern: str = ""
    frames: int = 0
    spatial: int = 0

    @classmethod
    def of(cls, kind: str, grid: Grid) -> Fold:
        """The fold of a kind of site."""
        return cls(BATCHES[kind], grid.frames, grid.spatial) if kind in BATCHES else NOTHING

    def fits(self, batch: int, tokens: int, rows: int) -> bool:
        """Can a batch of so many entries and tokens hold `rows` videos?"""
        others, each = self._sizes
        return (batch, tokens) == (rows * others, each) if self.pattern else batch == rows

    def tokens(self, tokens: int) -> int:
        """Tokens of a whole video, of which `tokens` are in one entry."""
        return tokens * self._sizes[0] if self.pattern else tokens

    def open(self, x: Tensor) -> Tensor:
        """[b, h, l, d] as the kernel gets it -> [B, H, F * S, D]."""
        return rearrange(x, f"{self.pattern} -> {WHOLE}", f=self.frames, s=self.spatial) if self.pattern else x

    def close(self, x: Tensor) -> Tensor:
        """The way back."""
        return rearrange(x, f"{WHOLE} -> {self.pattern}", f=self.frames, s=self.spatial) if self.pattern else x

    def open_mask(self, mask: Tensor) -> Tensor:
        """[b or 1, h or 1, l or 1, l] as the kernel gets it -> [B or 1, H or 1, F * S or 1, l]: its queries lie as those of q."""
        if not self.pattern or len(mask) == mask.shape[2] == 1:
            return mask
        others, each = self._sizes
        return self.open(mask.expand(max(others, len(mask)), -1, each, -1))

    def close_mask(self, bias: Tensor, rows: int) -> Tensor:
        """The way back, for `rows` videos."""
        if not self.pattern or len(bias) == bias.shape[2] == 1:
            return bias
        others, each = self._sizes
        return self.close(bias.expand(rows, -1, others * each, -1))

    @property
    def _sizes(self) -> tuple[int, int]:
        """(entries of the batch for each video, tokens of each)."""
        temporal = self.pattern == BATCHES["temporal"]
        return (self.spatial, self.frames) if temporal else (self.frames, self.spatial)


NOTHING = Fold()
