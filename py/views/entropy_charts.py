"""Entropy of every block: bars with the 50 % line, and a heatmap over the steps; one panel a kind of attention.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), Fig. 4.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from ..core.events import Branch
from ..core.trace import Trace
from ..records.entropy_profile import EntropyProfile, by_kind, entropy_percent
from .figure import BLUE, LIGHT, ORANGE, caption, colour_map, figure, ticks, to_image

HIGHEST, LOWEST, OTHERS = ORANGE, BLUE, "#b9b9b9"
ENERGY = "#222222"
PANEL, ROOM = 2.3, 1.0  # inches
ROW, LEAST = 0.12, 1.5  # inches of a block in the heatmap, and of a panel


def entropy_bars(profiles: Mapping[str, EntropyProfile], head: str) -> Tensor:
    """[1, height, 1024, 3] picture: a bar for each block, the highest and the lowest marked, the energy as dots.

    `head` stands under the title: which network, and where the run came from.
    """
    with figure(height=ROOM + PANEL * len(profiles), title="Entropy of the attention patterns, block by block") as drawing:
        panels = drawing.subplots(len(profiles), squeeze=False)[:, 0]
        for axes, profile in zip(panels, profiles.values(), strict=True):
            _bars(axes, profile)
        caption(panels[0], f"{head}\n{_said(next(iter(profiles.values())))}")
        panels[-1].set_xlabel("block")
        drawing.legend(*_legend(panels), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
        return to_image(drawing)


def entropy_over_steps(trace: Trace, branch: Branch | None, head: str) -> Tensor:
    """[1, height, 1024, 3] picture: blocks downwards, steps to the right, colours from the lowest to the highest entropy."""
    parts = {name: part.by_block_and_step(entropy_percent, branch) for name, part in by_kind(trace).items()}
    known = np.concatenate([cells[np.isfinite(cells)] for cells in parts.values()])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 100.0)
    side = max(LEAST, ROW * trace.blocks)
    with figure(height=ROOM + (side + 0.4) * len(parts), title="Entropy of the attention patterns over the run") as drawing:
        panels = drawing.subplots(len(parts), squeeze=False, sharex=True)[:, 0]
        for axes, (name, cells) in zip(panels, parts.items(), strict=True):
            shown = np.ma.masked_invalid(cells)
            mesh = axes.imshow(
                shown, cmap=colour_map(), vmin=low, vmax=max(high, low + 0.1), aspect="auto", interpolation="nearest"
            )
            caption(axes, name)
            axes.set_ylabel("block")
            axes.set_yticks(ticks(len(cells)))
            axes.set_xticks(ticks(cells.shape[1]))
        caption(panels[0], f"{head}\n{next(iter(parts))}")
        panels[-1].set_xlabel("sampling step")
        drawing.colorbar(mesh, ax=list(panels), pad=0.02, label="entropy, % of its maximum")
        return to_image(drawing)


def _bars(axes, profile: EntropyProfile) -> None:
    blocks = list(profile.entropy)
    colours = {profile.lowest: LOWEST, profile.highest: HIGHEST}
    axes.bar(blocks, list(profile.entropy.values()), width=0.8, color=[colours.get(block, OTHERS) for block in blocks])
    if profile.energy:
        style = {"color": ENERGY, "marker": ".", "linestyle": "none", "label": "energy between uniform (0) and identity (100)"}
        axes.plot(list(profile.energy), np.clip(list(profile.energy.values()), 0, 100), **style)
    axes.axhline(50, color=LIGHT.line, linewidth=1, linestyle="--")
    caption(axes, _said(profile))
    axes.set_ylabel("%")
    axes.set_ylim(0, 105)
    axes.set_yticks(range(0, 101, 25))
    axes.set_xlim(min(blocks) - 0.7, max(blocks) + 0.7)
    axes.set_xticks(blocks[:: ticks(len(blocks)).step])


def _said(profile: EntropyProfile) -> str:
    high, low = profile.highest, profile.lowest
    return (
        f"{profile.name}: highest block {high} ({profile.entropy[high]:.1f} %), "
        f"lowest block {low} ({profile.entropy[low]:.1f} %), mean {profile.mean:.1f} %"
    )


def _legend(panels) -> tuple[list, list[str]]:
    from matplotlib.patches import Patch

    handles = [Patch(color=HIGHEST), Patch(color=LOWEST), Patch(color=OTHERS)]
    labels = ["highest entropy", "lowest entropy", "entropy of the others"]
    dots = [found for axes in panels for found in zip(*axes.get_legend_handles_labels(), strict=True)][:1]
    return [*handles, *(handle for handle, _ in dots)], [*labels, *(label for _, label in dots)]
