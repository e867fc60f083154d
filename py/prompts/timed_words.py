"""The phrases of a schedule among the rows of a prompt's context, and their masks over the frames of a network call."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from ..core.errors import TemporalAttentionError
from ..core.store import fingerprint
from ..maths.tempo_losses import ACTIVE
from .curves import Clip
from .tempo import Tempo

SAME_TEXT = 0.02  # of the largest number: the same prompt encoded twice, on other devices or in other precisions


@dataclass(frozen=True)
class TimedWords:
    """A schedule whose phrases were found in a prompt. Two are equal where all that they say is, the context by its digest.

    Args:
        tempo: when each phrase is wanted.
        positions: the rows of the context that belong to each phrase.
        context: the encoded prompt [1, L, C].
        compression: video frames that a latent frame but the first holds.
    """

    tempo: Tempo
    positions: tuple[tuple[int, ...], ...]
    context: Tensor = field(compare=False)
    compression: int
    digest: str = field(init=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "digest", fingerprint(self.context))

    def masks(self, latent_frames: int, grid_frames: int | None = None) -> Tensor:
        """[P, F] masks in [0, 1] over the latent frames of a video, or over frames of tokens that join several."""
        masks = self.tempo.masks(Clip(latent_frames, self.compression))
        return masks if grid_frames in (None, latent_frames) else adaptive_avg_pool1d(masks, grid_frames)

    def check(self, latent_frames: int) -> None:
        """Raises TemporalAttentionError for a clip too short to time anything in, and where the masks ask for nothing."""
        if latent_frames < 3:
            raise TemporalAttentionError(
                "a video of at least 3 latent frames", f"{latent_frames}", "Sample a longer clip, or remove TempoControl."
            )
        masks = self.masks(latent_frames)
        changes = masks[:, 1:].amax(-1) > masks[:, 1:].amin(-1)
        if not (changes | (masks > ACTIVE).all(-1)).any():
            raise TemporalAttentionError(
                "a schedule in which a phrase appears, disappears, or is there throughout",
                f"constant values below {ACTIVE:g} for {', '.join(self.tempo.phrases)}",
                "Write a line such as cat: 0=0, 2s=1; check that fps and the length of the clip fit.",
            )


def same_text(one: Tensor, other: Tensor) -> bool:
    """Are two contexts [B or 1, L, C] of the same prompt?"""
    return relative_difference(one, other) < SAME_TEXT


def relative_difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of two contexts [B or 1, L, C] over the largest number in them; infinite for other lengths."""
    if one.shape[1:] != other.shape[1:]:
        return float("inf")
    other = other.to(one)
    return float((one - other).abs().max() / torch.maximum(one.abs().max(), other.abs().max()).clamp(min=1e-12))
