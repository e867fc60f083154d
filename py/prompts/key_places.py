"""Where key prompts lie among the latent frames of a video (VSTAR, section 3.4).

Latent frame 0 covers pixel frame 0 and every later one the next r pixel frames. A pixel frame lies where it lies between the
middles of what latent frames cover.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import TemporalAttentionError
from .key_prompts import KeyPrompt, Place


def key_places(prompts: Sequence[KeyPrompt], frames: int, compression: int, fps: float) -> tuple[tuple[float, ...], str]:
    """The place of each key prompt in latent frames, 0 to frames - 1, and a warning about those past the end ("" without any).

    Prompts without a place are spread evenly, from the first latent frame to the last; so are percents: 0 is the first, 100
    the last. What was placed past the end is put on the last latent frame, so several prompts may come to lie there.

    Args:
        frames: latent frames of the whole video.
        compression: pixel frames that a latent frame but the first decodes to.
        fps: pixel frames a second.

    Raises TemporalAttentionError unless fps is a number above 0.
    """
    _check_fps(fps)
    last = frames - 1
    if any(prompt.place is None for prompt in prompts):
        return tuple(last * i / max(len(prompts) - 1, 1) for i in range(len(prompts))), ""
    places = tuple(min(_latent(prompt.place, last, compression, fps), float(last)) for prompt in prompts)
    return places, _warning([prompt.place for prompt in prompts], 1 + last * compression, fps)


def _check_fps(fps: float) -> None:
    if not 0 < fps < math.inf:
        raise TemporalAttentionError("more than 0 frames per second", f"{fps:g}", "Set fps to that of the finished video.")


def _latent(place: Place, last: int, compression: int, fps: float) -> float:
    if place.unit == "percent":
        return last * place.value / 100
    pixel = _pixel(place, fps)
    first_middle = (compression + 1) / 2  # of latent frame 1
    return pixel / first_middle if pixel < first_middle else 1 + (pixel - first_middle) / compression


def _pixel(place: Place, fps: float) -> float:
    return place.value * fps if place.unit == "seconds" else place.value


def _warning(places: Sequence[Place], pixels: int, fps: float) -> str:
    """Names the places that begin after the last pixel frame has ended."""
    outside = [str(place) for place in places if place.unit != "percent" and _pixel(place, fps) > pixels]
    if not outside:
        return ""
    return (
        f"past the end of the video ({pixels} frames, {pixels / fps:.2f} s at {fps:g} fps) and moved to its last latent frame: "
        f"{', '.join(outside)}"
    )


@dataclass(frozen=True)
class Placement:
    """Where key prompts lie in a video of any length: what `key_places` needs beside it, and checked as there."""

    prompts: tuple[KeyPrompt, ...]
    compression: int
    fps: float

    def __post_init__(self):
        _check_fps(self.fps)

    def __call__(self, frames: int) -> tuple[tuple[float, ...], str]:
        """The places, and a warning, as `key_places` returns them for so many latent frames."""
        return key_places(self.prompts, frames, self.compression, self.fps)
