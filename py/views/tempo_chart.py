"""A schedule as a picture: each phrase's curve over the video frames, and its mask over the latent frames that hold them."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..maths.tempo_losses import ACTIVE
from ..prompts.curves import Clip
from ..prompts.tempo import Tempo
from .figure import BLUE, LIGHT, ORANGE, figure, shortened, to_image

WANTED, UNWANTED, CURVE, LINE = BLUE, "#c9d6e2", ORANGE, "#999999"
MOST_TICKS = 14
HEAD, PANEL = 1.5, 1.25  # inches
LONGEST_PHRASE = 80


def tempo_chart(tempo: Tempo, clip: Clip, fps: float) -> Tensor:
    """[1, height, 1024, 3] picture, a panel for each phrase.

    Args:
        clip: its frames; below are video frames and seconds, above latent frames.
        fps: video frames a second.
    """
    masks = tempo.masks(clip).numpy()
    edges = np.array([0, *range(1, clip.frames + 1, clip.compression)]) - 0.5
    with figure(height=HEAD + PANEL * len(masks), title="When each phrase is wanted") as drawing:
        panels = drawing.subplots(len(masks), sharex=True, squeeze=False)[:, 0]
        for axes, track, mask in zip(panels, tempo.tracks, masks, strict=True):
            _panel(axes, edges, mask, track.curve.at_frames(clip).numpy())
            axes.set_title(shortened(track.phrase, LONGEST_PHRASE))
        drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
        _number_video_frames(panels[-1], clip, fps)
        _number_latent_frames(panels[0], edges)
        return to_image(drawing)


def _panel(axes, edges: np.ndarray, mask: np.ndarray, curve: np.ndarray) -> None:
    for colour, chosen, label in (
        (WANTED, mask > ACTIVE, "latent frames, wanted"),
        (UNWANTED, mask <= ACTIVE, "latent frames, not wanted"),
    ):
        axes.bar(
            edges[:-1][chosen], mask[chosen], np.diff(edges)[chosen],
            align="edge", color=colour, edgecolor="white", linewidth=0.8, label=label,
        )  # fmt: skip
    axes.plot(np.arange(len(curve)), curve, color=CURVE, linewidth=1.4, drawstyle="steps-mid", label="video frames")
    axes.axhline(ACTIVE, color=LINE, linestyle="--", linewidth=0.8, label=f"wanted above {ACTIVE:g}")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.08)
    axes.set_yticks([0, 0.5, 1])


def _number_video_frames(axes, clip: Clip, fps: float) -> None:
    step = _step(clip.frames)
    shown = range(0, clip.frames, step)
    axes.set_xticks(list(shown), [f"{frame}\n{frame / fps:.2f}" for frame in shown])
    axes.set_xlabel("video frame\nseconds")


def _number_latent_frames(axes, edges: np.ndarray) -> None:
    centres = (edges[:-1] + edges[1:]) / 2
    shown = range(0, len(centres), _step(len(centres)))
    above = axes.secondary_xaxis("top")
    above.set_xticks([centres[frame] for frame in shown], [str(frame) for frame in shown])
    above.tick_params(length=0, pad=0, labelsize=8, labelcolor=LIGHT.muted)
    above.set_xlabel("latent frame", color=LIGHT.muted)


def _step(count: int) -> int:
    """The smallest of 1, 2, 4, 5, 8, 10, 20, ... that leaves few enough ticks."""
    steps = (base * 10**power for power in range(9) for base in (1, 2, 4, 5, 8))
    return next(step for step in sorted(steps) if count <= MOST_TICKS * step) if count > MOST_TICKS else 1
