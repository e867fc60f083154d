"""How an optimisation of the latent went: correlation, mass ratio and loss over all iterations of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..core.errors import TemporalAttentionError
from ..core.latent import Iteration
from ..core.trace import Trace
from .figure import BLUE, LIGHT, ORANGE, caption, figure, shortened, ticks, to_image

COLOURS = (BLUE, ORANGE, "#5b8c3a", "#7b3f99", "#8c6d1f", "#444444")
MARKERS = "os^Dv*"
LINE = "#bbbbbb"
MOST_NAMES = 12
LONGEST_PHRASE = 40
PANELS = (
    ("correlation", "correlation of attention and schedule (1 = as wanted)"),
    ("mass_ratio", "attention where not wanted, as a share of that where wanted"),
    ("loss", "loss"),
)


def tempo_report(trace: Trace, note: str = "") -> Tensor:
    """[1, height, 1024, 3] picture: a line a phrase, the mean over the samples that still changed; grey lines part the steps.

    Raises TemporalAttentionError for a run without iterations.
    """
    found = trace.iterations
    if not found:
        raise TemporalAttentionError(
            "a run in which TempoControl changed the latent",
            "one without iterations",
            "Set iterations and learning_rate above 0, and the percents so that at least one step falls between them.",
        )
    with figure(height=7.2, title="TempoControl, iteration by iteration") as drawing:
        panels = drawing.subplots(len(PANELS), sharex=True)
        for axes, (name, title) in zip(panels, PANELS, strict=True):
            for number, (label, values) in enumerate(_lines(found, name)):
                colour = COLOURS[number % len(COLOURS)] if label else LIGHT.muted
                style = {"color": colour, "marker": MARKERS[number % len(MARKERS)]}
                axes.plot(range(1, len(found) + 1), values, markersize=3, linewidth=1.3, label=label, **style)
            _part_steps(axes, found)
            caption(axes, title)
        caption(panels[0], f"{trace.family}, {len(found)} iterations{note}\n{PANELS[0][1]}")
        panels[0].set_ylim(-1.05, 1.05)
        panels[0].set_xlim(0.5, len(found) + 0.5)
        panels[-1].set_xlabel("iteration")
        _name_steps(panels[0], found)
        drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        return to_image(drawing)


def _lines(found: Sequence[Iteration], name: str) -> list[tuple[str, np.ndarray]]:
    """(label, value of each iteration): one a phrase, or one in all."""
    values = np.array([one.values[name][list(one.running)].mean(0) for one in found])
    if values.ndim == 1:
        return [("", values)]
    return [(shortened(phrase, LONGEST_PHRASE), line) for phrase, line in zip(found[0].phrases, values.T, strict=True)]


def _starts(found: Sequence[Iteration]) -> list[int]:
    """The iterations, from 1, with which a sampling step begins."""
    return [1 + i for i, one in enumerate(found) if one.number == 1]


def _part_steps(axes, found: Sequence[Iteration]) -> None:
    for start in _starts(found)[1:]:
        axes.axvline(start - 0.5, color=LINE, linewidth=0.8)


def _name_steps(axes, found: Sequence[Iteration]) -> None:
    starts = [*_starts(found), len(found) + 1]
    every = ticks(len(starts) - 1, MOST_NAMES).step
    places = [(first + after - 1) / 2 for first, after in zip(starts, starts[1:], strict=False)]
    names = [f"step {found[first - 1].step.index + 1}" for first in starts[:-1]]
    above = axes.secondary_xaxis("top")
    above.set_xticks(places[::every], names[::every])
    above.tick_params(length=0, pad=0, labelsize=7, labelcolor=LIGHT.muted)
    above.spines["top"].set_visible(False)
