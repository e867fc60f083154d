"""Draws docs/icon.png (400 x 400) and docs/banner.png (21:9) for the registry, and cards for examples: python -m tools.brand.

The sign is what the pack is about: attention from each frame to each other one, strongest near the diagonal.
"""

import io
import math
import textwrap

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch  # noqa: E402
from matplotlib.path import Path as Curve  # noqa: E402

from tools import ROOT  # noqa: E402

NIGHT, PALE, QUIET = "#1a1f47", "#f4f6ff", "#aab4dd"
COLOURS = matplotlib.colormaps["plasma"]
FRAMES = 5
STRIP = (1.0, 0.72, 0.5, 0.34, 0.22)  # attention of the last frame to itself and to each earlier one


def icon() -> None:
    figure, axes = canvas(400, 400)
    axes.add_patch(FancyBboxPatch((16, 16), 368, 368, boxstyle="round,pad=0,rounding_size=84", color=NIGHT, linewidth=0))
    matrix(axes, (200, 200), 326)
    figure.savefig(ROOT / "docs" / "icon.png", dpi=100, transparent=True)


def banner() -> None:
    figure, axes = canvas(1260, 540, NIGHT)
    matrix(axes, (246, 270), 320)
    axes.text(480, 372, "Temporal Attention", color=PALE, size=45, weight="bold", va="center")
    axes.text(484, 300, "See and steer how video models attend across frames", color=QUIET, size=19, va="center")
    strip(axes, 484, 76, 700)
    figure.savefig(ROOT / "docs" / "banner.png", dpi=100)


def card(name: str) -> bytes:
    """A PNG of 512 x 320 with the name of an example."""
    figure, axes = canvas(512, 320, NIGHT)
    matrix(axes, (400, 118), 150)
    what, on, model = name.partition(" on ")
    lines = textwrap.wrap(what if on else name, 17)
    for row, line in enumerate(lines):
        axes.text(34, 262 - 40 * row, line, color=PALE, size=21, weight="bold", va="center")
    axes.text(36, 258 - 40 * len(lines), model, color=COLOURS(0.86), size=16, va="center")
    axes.text(36, 34, "needs model files", color=QUIET, size=11, va="center")
    file = io.BytesIO()
    figure.savefig(file, dpi=100)
    plt.close(figure)
    return file.getvalue()


def canvas(width: int, height: int, colour: str = "none") -> tuple[plt.Figure, Axes]:
    """A figure whose units are its pixels."""
    figure = plt.figure(figsize=(width / 100, height / 100), facecolor=colour)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height), frame_on=False)
    axes.set_axis_off()
    return figure, axes


def matrix(axes: Axes, centre: tuple[float, float], size: float) -> None:
    """A disc for each pair of frames, large and bright where they attend to each other."""
    step = size / FRAMES
    for row in range(FRAMES):
        for column in range(FRAMES):
            strength = math.exp(-(((row - column) / 1.45) ** 2))
            place = (centre[0] + (column - (FRAMES - 1) / 2) * step, centre[1] - (row - (FRAMES - 1) / 2) * step)
            axes.add_patch(Circle(place, step * (0.14 + 0.33 * strength), color=shade(strength), linewidth=0))


def strip(axes: Axes, left: float, bottom: float, width: float) -> None:
    """Frames in a row; the last one looks back at the others."""
    step, height = width / len(STRIP), 62
    middles = [left + step * (index + 0.42) for index in range(len(STRIP))]
    for middle, strength in zip(middles, reversed(STRIP), strict=True):
        box = FancyBboxPatch((middle - step * 0.36, bottom), step * 0.72, height, boxstyle="round,pad=0,rounding_size=12")
        box.set(color=shade(strength), linewidth=0)
        axes.add_patch(box)
    top = bottom + height + 8
    for middle, strength in zip(middles[:-1], reversed(STRIP[1:]), strict=True):
        rise = top + 14 + 0.13 * (middles[-1] - middle)
        arc = Curve([(middles[-1], top), (middles[-1], rise), (middle, rise), (middle, top)], [Curve.MOVETO] + 3 * [Curve.CURVE4])
        axes.add_patch(PathPatch(arc, fill=False, edgecolor=shade(strength), linewidth=2 + 5 * strength, capstyle="round"))


def shade(strength: float) -> tuple[float, ...]:
    """From dim violet to yellow, both plain on the night blue."""
    return COLOURS(0.26 + 0.66 * strength)


if __name__ == "__main__":
    icon()
    banner()
