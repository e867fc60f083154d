"""Where the frames of tokens of a network call are in time: which latent frames of the whole video they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LatentFrames:
    """For each frame of tokens the latent frames that it holds: one, or the `patch` that the network joins.

    `whole` is the number of latent frames of the whole video, of which a context window holds some.
    """

    held: tuple[tuple[int, ...], ...]
    whole: int
    patch: int = 1

    @classmethod
    def of(cls, frames: Sequence[int], whole: int, patch: int = 1) -> LatentFrames:
        """Latent frames in the order in which the network gets them; it fills the last patch up where it must."""
        return cls(tuple(tuple(frames[i : i + patch]) for i in range(0, len(frames), patch)), whole, patch)

    @classmethod
    def all(cls, whole: int, patch: int = 1) -> LatentFrames:
        """Those of a whole video."""
        return cls.of(range(whole), whole, patch)

    @property
    def tokens(self) -> int:
        """Frames of tokens of the whole video."""
        return -(-self.whole // self.patch)

    @property
    def places(self) -> tuple[int, ...] | None:
        """The number of each frame of tokens among those of the whole video; None where they are all of it, in order."""
        found = tuple(held[0] // self.patch for held in self.held)
        return None if found == tuple(range(self.tokens)) else found

    @property
    def middles(self) -> tuple[float, ...]:
        """Where each frame of tokens lies, in latent frames."""
        return tuple(sum(held) / len(held) for held in self.held)

    def mean(self, values: Tensor) -> Tensor:
        """[..., whole], a number for each latent frame -> [..., F], its mean over each frame of tokens."""
        return torch.stack([values[..., list(held)].mean(-1) for held in self.held], dim=-1)
