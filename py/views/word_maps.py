"""A phrase's attention in a run as one map: over which frames and where."""

from __future__ import annotations

import math

import numpy as np

from ..core.errors import TemporalAttentionError
from ..core.intervention import Window
from ..core.trace import Trace


def word_map(trace: Trace, phrase: int, sample: int, window: Window) -> np.ndarray:
    """[F, h, w] attention of a phrase, averaged over the steps in a window and, where context windows overlap, over them.

    Calls for an area of the picture are left out: their maps show only that. Raises TemporalAttentionError where nothing was
    recorded, or nothing of this sample in these steps.
    """
    recorded = trace.holding("words").records
    if not recorded:
        raise TemporalAttentionError(
            "a run whose positive prompt is that of TempoControl",
            "one in which nothing reads that text",
            "Connect the same text and the same CLIP to both, and no Video Synopsis Prompt.",
        )
    records = [r for r in recorded if r.sample == sample and window.contains(r.step)]
    if not records:
        samples = sorted({r.sample for r in recorded})
        raise TemporalAttentionError(
            f"a recorded step from {window.start:g} to {window.end:g} of sample {sample}",
            f"none (recorded samples: {', '.join(map(str, samples))})",
            "Widen the percents, or choose another sample of the batch.",
        )
    shape = max((r.values["words"].shape[2:] for r in records), key=math.prod)
    records = [r for r in records if r.values["words"].shape[2:] == shape]
    places = [list(r.frames or range(r.values["words"].shape[1])) for r in records]
    frames = 1 + max(max(place) for place in places)
    total, count = np.zeros((frames, *shape)), np.zeros((frames, 1, 1))
    for place, record in zip(places, records, strict=True):
        total[place] += record.values["words"][phrase]
        count[place] += 1
    return total / np.maximum(count, 1)


def grid_frame(video_frames: int, compression: int, grid_frames: int) -> np.ndarray:
    """[T] for each video frame the frame of tokens that holds it: latent frame 0 holds one, every later one `compression`."""
    latent = np.concatenate([[0], 1 + np.arange(video_frames - 1) // compression])
    return np.minimum(latent * grid_frames // max(latent[-1] + 1, grid_frames), grid_frames - 1)
