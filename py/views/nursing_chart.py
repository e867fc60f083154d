"""How the search for initial noise went, and the covariance between frames that it found (VSTAR, appendix B)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..core.noise import NoiseDistribution, NursingIteration
from .figure import LIGHT, colours, figure, small_print, to_image

HEIGHT = 3.6
FAINT = 0.3


def nursing_chart(found: NoiseDistribution, history: Sequence[NursingIteration]) -> Tensor:
    """[1, height, 1024, 3]: attention distance and KL over the iterations, a line a video, their mean bold; Sigma of the first.

    An empty history stands for noise that was left as it came.
    """
    with figure(HEIGHT, "Initial noise nursing") as drawing:
        left, middle, right = drawing.subplots(1, 3, width_ratios=(1, 1, 0.9))
        _curves(left, [one.distance for one in history], "distance of attention\nfrom the reference's", "no updates were made")
        _curves(middle, [one.divergence for one in history], "KL from white noise, nats\n(one position over the frames)", "")
        _covariance(drawing, right, found)
        small_print(drawing, _said(found, history))
        return to_image(drawing)


def _curves(axes, values: Sequence[Sequence[float]], title: str, empty: str) -> None:
    axes.set_title(title, fontsize=9)
    if not values:
        axes.text(0.5, 0.5, empty, transform=axes.transAxes, ha="center", color=LIGHT.muted)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return
    lines = np.array(values)
    axes.plot(lines, color=LIGHT.plain, alpha=FAINT, linewidth=0.8)
    axes.plot(lines.mean(1), color=LIGHT.plain, linewidth=1.8)
    axes.locator_params(axis="x", nbins=6, integer=True)
    axes.set_xlabel("updates")


def _covariance(drawing, axes, found: NoiseDistribution) -> None:
    sigma = found.sigma()[0].numpy()
    cmap, low, high = colours(sigma, 0.0)
    mesh = axes.imshow(sigma, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
    axes.set_title("covariance of frames,\nfirst video", fontsize=9)
    axes.set_xticks([0, len(sigma) - 1])
    axes.set_yticks([0, len(sigma) - 1])
    axes.spines[:].set_visible(False)
    drawing.colorbar(mesh, ax=axes, fraction=0.05, pad=0.03)


def _said(found: NoiseDistribution, history: Sequence[NursingIteration]) -> str:
    videos = len(found.beta)
    mean = float(found.mean.square().mean().sqrt())
    who = "" if videos == 1 else f" (means of {videos} videos)"
    kept = (
        f"chosen: beta {float(found.beta.mean()):.3f}, gamma {float(found.gamma.mean()):+.3f}, size of the mean {mean:.3f}{who}"
    )
    if not history:
        return kept
    best = [min(column) for column in zip(*(one.distance for one in history), strict=True)]
    return f"{kept}; distance {np.mean(history[0].distance):.4f} with white noise, {np.mean(best):.4f} at its lowest"
