"""Frame attention and frame similarity against the interval between two frames, of one or two videos (VSTAR, Fig. S.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten

import numpy as np
from torch import Tensor

from ..measures.intervals import IntervalProfile
from .figure import BLUE, ORANGE, SEQUENTIAL, figure, how_to_read, to_image

COLOURS = (BLUE, ORANGE)
PANEL = 3.8  # inches
LONGEST_NAME = 100  # letters
HOW_TO_READ = "A line is the mean of all pairs of frames that far apart; its band holds four out of five of them"
ATTENTION = ("share of attention", "interval in latent frames")
SIMILARITY = ("similarity", "interval in frames of the video")
RANGES = {ATTENTION: (0.0, 0.0), SIMILARITY: (0.9, 1.0)}  # what an axis shows at least: a still video must look still


@dataclass(frozen=True)
class Curve:
    """A profile with its name; `video` 0 or 1 is its colour, and what is not `main` is a dashed line without its spread."""

    name: str
    profile: IntervalProfile
    video: int = 0
    main: bool = True


@dataclass(frozen=True)
class Panel:
    """Curves on one pair of axes, or, in place of them, a profile for each block; `axes` is ATTENTION or SIMILARITY."""

    title: str
    axes: tuple[str, str]
    curves: Sequence[Curve] = ()
    blocks: dict[int, IntervalProfile] | None = None


def interval_chart(panels: Sequence[Panel]) -> Tensor:
    """[1, height, 1024, 3] picture, a panel below the other; those on attention have one scale, so that they can be compared."""
    with figure(height=0.7 + PANEL * len(panels), title="Against the interval between two frames") as drawing:
        drawn = drawing.subplots(len(panels), squeeze=False)[:, 0]
        for axes, panel in zip(drawn, panels, strict=True):
            axes.set_title(panel.title)
            axes.set_ylabel(panel.axes[0])
            axes.set_xlabel(panel.axes[1])
            _draw_blocks(drawing, axes, panel.blocks) if panel.blocks else _draw_curves(axes, panel)
            axes.locator_params(axis="x", integer=True)
        for kind, (bottom, top) in RANGES.items():
            same = [axes for axes, panel in zip(drawn, panels, strict=True) if panel.axes == kind]
            limits = np.array([axes.get_ylim() for axes in same] or [(bottom, top)])
            for axes in same:
                axes.set_ylim(max(0.0, min(bottom, limits[:, 0].min())), max(top, limits[:, 1].max()))
        how_to_read(drawing, HOW_TO_READ)
        return to_image(drawing)


def _draw_curves(axes, panel: Panel) -> None:
    for curve in panel.curves:
        found, colour = curve.profile, COLOURS[curve.video]
        if curve.main:
            axes.fill_between(found.intervals, found.low, found.high, color=colour, alpha=0.18, linewidth=0)
        name = shorten(curve.name, LONGEST_NAME, placeholder=" ...")
        label = f"{name} ({found.itself:.2f} to the frame itself)" if panel.axes == ATTENTION else name
        style = {"linestyle": "-", "marker": "."} if curve.main else {"linestyle": (0, (4, 2))}
        axes.plot(found.intervals, found.mean, color=colour, linewidth=1.6, label=label, **style)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=1, fontsize=8, frameon=False)


def _draw_blocks(drawing, axes, blocks: dict[int, IntervalProfile]) -> None:
    """A line a block, coloured by its number."""
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(min(blocks), max(max(blocks), min(blocks) + 1)), matplotlib.colormaps[SEQUENTIAL])
    for block, found in blocks.items():
        axes.plot(found.intervals, found.mean, color=scale.to_rgba(block), linewidth=1.4, marker=".")
    bar = drawing.colorbar(scale, ax=axes, label="block", pad=0.02)
    bar.locator = matplotlib.ticker.MaxNLocator(integer=True)
