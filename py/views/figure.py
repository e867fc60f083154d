"""Figures: one style for all charts, drawn by matplotlib's object API on Agg, as [1, height, width, 3] images in [0, 1]."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

DOTS_PER_INCH = 128
WIDTH = 1024 / DOTS_PER_INCH
DIVERGING, SEQUENTIAL, MISSING = "RdBu_r", "viridis", "#c8c8c8"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.facecolor": "white",
    "figure.titlesize": 11,
    "savefig.dpi": DOTS_PER_INCH,
}


@dataclass(frozen=True)
class Theme:
    """Colours of a figure, and what matplotlib's own settings must know of them.

    `muted`: small print; `line`: lines that are no data; `missing`: cells without a value; `plain` and `treated`: runs without
    and with a technique; `single`: one series alone. The series are of Okabe and Ito's palette, made for colour-blind readers.
    """

    muted: str = "#555555"
    line: str = "#888888"
    missing: str = MISSING
    plain: str = "#0072B2"
    treated: str = "#D55E00"
    single: str = "#009E73"
    settings: dict = field(default_factory=dict)


INK, PAPER = "#e6e6e6", "#16181d"
LIGHT = Theme()
DARK = Theme(
    muted="#a8adb5",
    line="#8b9099",
    missing="#4a4e57",
    plain="#56B4E9",
    treated="#E69F00",
    single="#2fc79a",
    settings={
        **dict.fromkeys(("figure.facecolor", "axes.facecolor", "legend.facecolor"), PAPER),
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    },
)
THEMES = {"light": LIGHT, "dark": DARK}
BLUE, ORANGE = "#1b6ca8", "#d95f02"  # one and the other, in charts that are always light
MOST_TICKS = 16


@contextmanager
def figure(height: float, title: str, layout: str = "constrained", theme: Theme = LIGHT, width: float = WIDTH) -> Iterator:
    """A matplotlib Figure `height` inches high in the pack's style, with a title; 1024 pixels wide, or `width` inches.

    `layout` is matplotlib's: "constrained", or "compressed" for axes of fixed aspect.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, **theme.settings}):
        drawing = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout=layout)
        drawing.suptitle(title, x=0.01, ha="left", fontweight="bold")
        yield drawing


def to_image(drawing) -> Tensor:
    """A drawn Figure -> [1, height, width, 3] float32 in [0, 1]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(drawing)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).float().div(255).unsqueeze(0)


def caption(axes, text: str, theme: Theme = LIGHT) -> None:
    """What is shown, in small print above it."""
    axes.set_title(text, fontsize=8, color=theme.muted)


def small_print(drawing, text: str, theme: Theme = LIGHT) -> None:
    """A line below the whole figure, from its left edge on."""
    drawing.supxlabel(text, x=0.01, ha="left", color=theme.muted, fontsize=8)


def how_to_read(drawing, text: str) -> None:
    """A line below the whole figure, in its middle."""
    drawing.supxlabel(text, color=LIGHT.muted, fontsize=8)


def ticks(count: int, most: int = MOST_TICKS) -> range:
    """Every number from 0 on, or every so many of them that at most `most` remain."""
    return range(0, count, max(1, -(-count // most)))


def shortened(text: str, most: int) -> str:
    """At most so many letters of it, and then dots."""
    return text if len(text) <= most else f"{text[:most]}..."


def colour_map(name: str = SEQUENTIAL, missing: str = MISSING, **extremes: str):
    """matplotlib's colour map of that name, with a colour for cells without a value."""
    import matplotlib

    return matplotlib.colormaps[name].with_extremes(bad=missing, **extremes)


def colours(values: np.ndarray, center: float | None):
    """The colour map and its bounds for values: symmetric around `center` if there is one, else from low to high."""
    low, high = _spread(values)
    if center is None:
        name = SEQUENTIAL
    else:
        name, reach = DIVERGING, max(high - center, center - low)
        low, high = center - reach, center + reach
    return colour_map(name), low, high


def _spread(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.01, high + 0.01)
