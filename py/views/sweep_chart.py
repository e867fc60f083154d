"""A perturbation sweep as bars: what each block, and each group of blocks, changes; one panel a measure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..measures.change import Change
from ..measures.sweep import Sweep
from .figure import BLUE, LIGHT, ORANGE, caption, figure, ticks, to_image

COLOURS = (BLUE, ORANGE)
HATCHES = (None, "////")
WIDTH = 0.8  # of all bars of a block
FAR = 50  # times: then an axis is logarithmic


@dataclass(frozen=True)
class Panel:
    """How one measure is drawn; 0 means no change."""

    title: str
    unit: str
    of: Callable[[Change], float]


PANELS = (
    Panel("Energy of the change, of that of the unchanged video", "%", lambda change: change.energy),
    Panel("Structure lost: 1 - SSIM with the unchanged video", "1 - SSIM", lambda change: 1 - change.structure),
    Panel("Difference of neighbouring frames: more (+) or less (-)", "%", lambda change: change.motion),
)


def sweep_chart(sweep: Sweep, head: str) -> Tensor:
    """[1, height, 1024, 3] picture: blocks on the left, groups of blocks on the right, a colour for each perturbation.

    `head` stands under the title: which network, at which step.
    """
    with figure(height=8.6, title="What each block changes when its attention pattern is replaced") as drawing:
        panels = drawing.subplots(len(PANELS), 2, sharey="row", sharex="col", width_ratios=(2, 1))
        for (left, right), panel in zip(panels, PANELS, strict=True):
            for i, perturbation in enumerate(sweep.perturbations):
                _bars(left, panel, sweep.singles(perturbation), i, sweep)
                _bars(right, panel, sweep.groups(perturbation), i, sweep)
            caption(left, panel.title)
            left.set_ylabel(panel.unit)
            for axes in (left, right):
                axes.axhline(0, color=LIGHT.line, linewidth=0.8)
            _scale(left, panel, sweep)
        caption(panels[0, 0], f"{head}\n{PANELS[0].title}")
        caption(panels[0, 1], "groups of blocks")
        panels[-1, 0].set_xlabel("block")
        drawing.align_ylabels(panels[:, 0])
        drawing.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        return to_image(drawing)


def _bars(axes, panel: Panel, changes: dict, index: int, sweep: Sweep) -> None:
    """One bar a block or group, beside those of the other perturbations."""
    count = len(sweep.perturbations)
    width = WIDTH / count
    places = [place + (index - (count - 1) / 2) * width for place in range(len(changes))]
    style = {"color": COLOURS[index], "hatch": HATCHES[index], "edgecolor": "white", "linewidth": 0}
    axes.bar(places, [panel.of(change) for change in changes.values()], width=width, label=sweep.perturbations[index], **style)
    names = [str(name).replace(" ", "\n") for name in changes]
    shown = range(len(names)) if any("\n" in name for name in names) else ticks(len(names))
    axes.set_xticks(shown, [names[i] for i in shown])
    axes.tick_params(axis="x", length=0)


def _scale(axes, panel: Panel, sweep: Sweep) -> None:
    """Energies are drawn logarithmic where some are far larger: those of a group can be a thousand times those of a block."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = [panel.of(change) for change in sweep.changes.values()]
    positive = [value for value in values if math.isfinite(value) and value > 0]
    if panel is PANELS[0] and positive and max(positive) > FAR * min(positive):
        axes.set_yscale("log")
        axes.set_ylim(min(positive) / 2, max(positive) * 2)
        axes.yaxis.set_major_locator(LogLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
