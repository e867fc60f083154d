"""How visible something should be over a clip: curves over time, which become masks over latent frames.

A curve does not depend on a number of frames, which is known only when a clip is sampled.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.checks import one_of
from ..core.errors import TemporalAttentionError
from ..core.store import fingerprint
from ..maths.onsets import RATE, onset_mask, to_unit_range

INTERPOLATIONS = ("hold", "linear", "smooth")
FRAME, SECOND, PERCENT = UNITS = ("", "s", "%")
# Places are rounded to this part of a frame: 1.04 s at 25 frames a second is frame 26, not 26.000000000000004.
PLACES_A_FRAME = 10**6


@dataclass(frozen=True)
class Clip:
    """Frames of a video whose latent frame 0 holds video frame 0, and each later one the next `compression` video frames."""

    latent_frames: int
    compression: int

    @property
    def frames(self) -> int:
        """1 + (latent frames - 1) compression."""
        return 1 + (self.latent_frames - 1) * self.compression

    def latent(self, values: Tensor) -> list[Tensor]:
        """Values of video frames [T] as one part for each latent frame."""
        return [values[:1], *values[1:].split(self.compression)][: self.latent_frames]


class Curve(ABC):
    """How visible a phrase should be, in [0, 1], over a clip."""

    @abstractmethod
    def at_frames(self, clip: Clip) -> Tensor:
        """[T] float64 value at every video frame."""

    def mask(self, clip: Clip) -> Tensor:
        """[F] float32 mask over latent frames: the mean over the video frames that each covers."""
        return torch.stack([part.mean() for part in clip.latent(self.at_frames(clip))]).float()

    def cut(self, clip: Clip) -> str:
        """What of the curve does not fit the clip, in words; empty if all does."""
        return ""


@dataclass(frozen=True)
class Point:
    """A value in [0, 1] at a place: a video frame from 0, a second, or a percent of the way from the first frame to the last."""

    place: float
    unit: str
    value: float

    def frame(self, clip: Clip, fps: float) -> float:
        """The place in video frames, which need not be a whole number."""
        scale = {FRAME: 1.0, SECOND: fps, PERCENT: (clip.frames - 1) / 100}[self.unit]
        return math.floor(self.place * scale * PLACES_A_FRAME + 0.5) / PLACES_A_FRAME

    def __str__(self) -> str:
        return f"{_number(self.place)}{self.unit}={_number(self.value)}"


@dataclass(frozen=True)
class Keyframes(Curve):
    """A curve through points; before the first and after the last it stays as there. Without points it is 1 throughout.

    Args:
        interpolation: "hold" (the value of the point before), "linear", or "smooth" (3 t^2 - 2 t^3).
        fps: video frames a second, for places in seconds.

    Raises TemporalAttentionError in a clip where the places do not rise.
    """

    points: tuple[Point, ...] = ()
    interpolation: str = INTERPOLATIONS[0]
    fps: float = 16.0

    def __post_init__(self):
        one_of("interpolation", self.interpolation, INTERPOLATIONS)
        if not 0 < self.fps < math.inf:
            raise TemporalAttentionError("a frame rate above 0", f"{self.fps:g}", "Set fps to that of the video.")

    def at_frames(self, clip: Clip) -> Tensor:
        """[T] float64 value at every video frame. Raises TemporalAttentionError where the places do not rise in this clip."""
        if not self.points:
            return torch.ones(clip.frames, dtype=torch.float64)
        places = self._places(clip)
        return torch.tensor([self._at(places, frame) for frame in range(clip.frames)], dtype=torch.float64)

    def cut(self, clip: Clip) -> str:
        """The points after the last frame."""
        late = [str(point) for point in self.points if point.frame(clip, self.fps) > clip.frames - 1]
        last = f"the last video frame is {clip.frames - 1}, at {(clip.frames - 1) / self.fps:.3g} s"
        return f"{', '.join(late)} lies past the end and is never reached ({last})" if late else ""

    def _places(self, clip: Clip) -> list[float]:
        places = [point.frame(clip, self.fps) for point in self.points]
        for i in range(1, len(places)):
            if places[i] <= places[i - 1]:
                raise TemporalAttentionError(
                    "places that increase from point to point",
                    f"{self.points[i]} (frame {places[i]:g}) after {self.points[i - 1]} (frame {places[i - 1]:g}) in a clip of "
                    f"{clip.frames} frames at {self.fps:g} fps",
                    "Reorder the points, or use one unit for all places of a line.",
                )
        return places

    def _at(self, places: list[float], frame: int) -> float:
        i = bisect_right(places, frame) - 1
        if i < 0 or i == len(places) - 1:
            return self.points[max(i, 0)].value
        t = (frame - places[i]) / (places[i + 1] - places[i])
        share = {"hold": 0.0, "linear": t, "smooth": t * t * (3 - 2 * t)}[self.interpolation]
        return self.points[i].value + (self.points[i + 1].value - self.points[i].value) * share


@dataclass(frozen=True)
class Samples(Curve):
    """Values at equal steps from the first frame of a clip to the last, joined by straight lines, limited to [0, 1]."""

    values: tuple[float, ...]

    def at_frames(self, clip: Clip) -> Tensor:
        """[T] float64 value at every video frame."""
        values = torch.tensor(self.values, dtype=torch.float64).clamp(0, 1)
        place = torch.linspace(0, len(values) - 1, clip.frames, dtype=torch.float64)
        before = place.floor().long().clamp(max=len(values) - 2)
        return torch.lerp(values[before], values[before + 1], place - before)


@dataclass(frozen=True)
class Onsets(Curve):
    """Where the sounds of a soundtrack begin, from its start. Two are equal where frame rates and digests of the strengths are.

    Args:
        strength: [T] onset strength, RATE values a second.
        fps: video frames a second.
    """

    strength: Tensor = field(compare=False)
    fps: float
    digest: str = field(init=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "digest", fingerprint(self.strength))

    def at_frames(self, clip: Clip) -> Tensor:
        """[T] float64 largest strength within each video frame, scaled to [0, 1] over the clip; silence after the end."""
        return to_unit_range(self._strongest(clip))

    def mask(self, clip: Clip) -> Tensor:
        """[F] float32: the strongest onset of each latent frame; peaks are kept, the rest is smoothed."""
        return onset_mask(torch.stack([part.max() for part in clip.latent(self._strongest(clip))])).float()

    def cut(self, clip: Clip) -> str:
        """By how much the sound is longer or shorter than the clip."""
        sound, video = len(self.strength) / RATE, clip.frames / self.fps
        if abs(sound - video) * self.fps < 1:
            return ""
        what = "its rest is not used" if sound > video else "the rest counts as silence"
        return f"the sound lasts {sound:.3g} s and the clip {video:.3g} s: {what}"

    def _strongest(self, clip: Clip) -> Tensor:
        count = max(1, round(clip.frames / self.fps * RATE))
        heard = self.strength.double()[:count]
        heard = torch.nn.functional.pad(heard, (0, count - len(heard)))
        return torch.nn.functional.adaptive_max_pool1d(heard[None], clip.frames)[0]


def _number(value: float) -> str:
    """At most six decimals, and none that are not needed."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
