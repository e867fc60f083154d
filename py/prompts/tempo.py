"""When each phrase of a prompt is to be seen.

TempoControl: Temporal Attention Guidance for Text-to-Video Models (Schiber et al.), the masks m of section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.errors import TemporalAttentionError
from .curves import Clip, Curve


@dataclass(frozen=True)
class Track:
    """A phrase of the prompt and its curve."""

    phrase: str
    curve: Curve


@dataclass(frozen=True)
class Tempo:
    """The tracks of a prompt. Raises TemporalAttentionError without any, and where two have the same phrase."""

    tracks: tuple[Track, ...]

    def __post_init__(self):
        seen = [track.phrase.lower() for track in self.tracks]
        if not seen:
            raise TemporalAttentionError("a schedule with a phrase in it", "an empty one", "Write a line such as cat: 0=0, 2s=1.")
        if len(set(seen)) < len(seen):
            twice = next(phrase for phrase in seen if seen.count(phrase) > 1)
            raise TemporalAttentionError("each phrase once", f"{twice!r} twice", "Put all of its points on one line.")

    @property
    def phrases(self) -> tuple[str, ...]:
        """The phrases in the order of the masks."""
        return tuple(track.phrase for track in self.tracks)

    def masks(self, clip: Clip) -> Tensor:
        """[phrases, F] float32 masks in [0, 1] over the latent frames of a clip."""
        return torch.stack([track.curve.mask(clip) for track in self.tracks])

    def cut(self, clip: Clip) -> list[str]:
        """What of the tracks does not fit the clip, a sentence each."""
        return [f"{track.phrase}: {said}" for track in self.tracks if (said := track.curve.cut(clip))]
