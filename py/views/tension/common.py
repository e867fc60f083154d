"""What the figures of the tension study share: their settings, their frame, and a few kinds of panel."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ...core.errors import TemporalAttentionError
from ...measures.paired import BETTER, FEWEST_VIDEOS, better_sense, compared
from ...measures.tension_statistics import ACTIVE, DEPTH
from ...records.trace_set import TraceSet, Video
from ..figure import LIGHT, Theme, caption, figure, small_print

BETTER_MAP = "BrBG"  # brown = worse, green-blue = better; told apart without red and green
LONGEST_LINE = 138  # letters of small print
BINS = 40  # of a histogram
METRICS = ("H_vN", "H_row", "Gini", "self-retention", "cross-frame mass", "effective rank")
LABELS = {
    "T": "Spectral Tension T",
    "|T|": "|T|",
    "H_row": "row entropy H_row",
    "H_vN": "entropy H_vN",
    "self-retention": "self-retention",
    "cross-frame mass": "cross-frame mass",
    "effective rank": "effective rank of A",
    "Gini": "Gini of the rows",
    "leading share": "leading eigenvalue",
    "head spread": "spread of T over heads",
    "balance": "balance b of each video",
}
NO_SENSE = {"balance": "to the future"}


@dataclass(frozen=True)
class Look:
    """Settings of every figure: colours, |gamma - 1| above which a call is active, depth from which a block is deep, a note."""

    theme: Theme = LIGHT
    threshold: float = ACTIVE
    depth: float = DEPTH
    note: str = ""

    def active(self, video: Video) -> np.ndarray:
        """[n] active calls."""
        return video.active(self.threshold)

    def deep(self, video: Video) -> np.ndarray:
        """[n] calls in deep blocks."""
        return video.deep(self.depth)


@contextmanager
def page(height: float, title: str, traces: TraceSet, look: Look, calls: str, pairs: bool = True) -> Iterator:
    """A figure with its title, and in small print which videos and calls it shows; `pairs`: it compares them with baselines."""
    with figure(height, title, theme=look.theme) as drawing:
        small_print(drawing, _described(traces, look, calls, pairs), look.theme)
        yield drawing


def _described(traces: TraceSet, look: Look, calls: str, pairs: bool) -> str:
    first, count = traces.videos[0], len(traces.videos)
    videos = f"{count} video{'s' if count > 1 else ''}"
    against = "; each call against itself before the edits" if traces.own_baseline else "; against baseline runs"
    said = f"{first.family}, {first.blocks} blocks; {videos}{against if pairs else ''}; {calls}{look.note}"
    return textwrap.fill(said, LONGEST_LINE)


def active_calls(traces: TraceSet, look: Look) -> str:
    """How many calls are active, for the small print. Raises TemporalAttentionError where none is."""
    count = sum(int(look.active(video).sum()) for video in traces.videos)
    total = sum(len(video.calls.step) for video in traces.videos)
    if not count:
        raise TemporalAttentionError(
            f"active calls (|gamma - 1| > {look.threshold:g})",
            "none",
            "Lower active_threshold, or trace a run with a higher tau.",
        )
    if not traces.has_gamma:
        return f"all {total} calls, as no gamma was set"
    return f"{count} of {total} calls active (|gamma - 1| > {look.threshold:g})"


def need_gamma(traces: TraceSet) -> None:
    """Raises TemporalAttentionError where STH set no gamma in any call."""
    if not traces.has_gamma:
        raise TemporalAttentionError(
            "a run with Spectral Transport Homeostasis (STH) on it",
            "one without",
            "This figure needs its gamma: choose another figure.",
        )


def deep_calls(look: Look) -> str:
    """Which blocks count as deep, for the small print."""
    return f"blocks at depth {look.depth:.0%} and deeper"


def gathered(traces: TraceSet, of: Callable[[Video], np.ndarray], chosen: Callable[[Video], np.ndarray]) -> np.ndarray:
    """A number of every chosen call of all videos."""
    return np.concatenate([of(video)[chosen(video)] for video in traces.videos])


def per_video(traces: TraceSet, of: Callable[[Video], np.ndarray], chosen: Callable[[Video], np.ndarray]) -> np.ndarray:
    """[videos] means over the chosen calls; NaN where a video has none."""
    parts = [of(video)[chosen(video)] for video in traces.videos]
    return np.array([part.mean() if len(part) else np.nan for part in parts])


def grid(traces: TraceSet, of: Callable[[Video], np.ndarray], chosen: Callable[[Video], np.ndarray]) -> np.ndarray:
    """[blocks, steps] means of a number of calls over all videos; NaN where there is none."""
    steps = 1 + max(int(video.calls.step.max()) for video in traces.videos)
    total, count = np.zeros((2, traces.videos[0].blocks, steps))
    for video in traces.videos:
        values = of(video)
        known = chosen(video) & np.isfinite(values)
        places = video.calls.block[known], video.calls.step[known]
        np.add.at(total, places, values[known])
        np.add.at(count, places, 1)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def every(video: Video) -> np.ndarray:
    """[n] all calls."""
    return np.ones(len(video.calls.step), bool)


def heading(axes, text: str, look: Look, small: str = "") -> None:
    """The title of a panel, and under it a line in small print."""
    caption(axes, f"{text}\n{small}" if small else text, look.theme)


def few_ticks(axes, x: int = 5, y: int = 5) -> None:
    """At most so many intervals on each axis: room for small panels."""
    axes.locator_params(axis="x", nbins=x)
    axes.locator_params(axis="y", nbins=y)


def histogram(axes, series: Sequence[tuple[str, np.ndarray, str]]) -> None:
    """Filled histograms of (label, values, colour) on shared bins, as shares of their calls."""
    edges = np.histogram_bin_edges(np.concatenate([values for _, values, _ in series]), BINS)
    for label, values, colour in series:
        counts, _ = np.histogram(values, edges)
        axes.stairs(counts / max(len(values), 1), edges, fill=True, alpha=0.35, color=colour)
        axes.stairs(counts / max(len(values), 1), edges, color=colour, label=label)
    axes.set_ylabel("share of calls")


def paired_scatter(axes, baseline: np.ndarray, treated: np.ndarray, name: str, look: Look) -> None:
    """A point a video over the line of no change, with the sign test of its differences."""
    known = np.isfinite(baseline) & np.isfinite(treated)
    low, high = _limits(np.concatenate([baseline[known], treated[known]]))
    axes.axline((low, low), slope=1, color=look.theme.line, linewidth=0.8, linestyle="--")
    axes.scatter(baseline[known], treated[known], s=18, color=look.theme.single, alpha=0.8, linewidths=0)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="baseline", ylabel="treated")
    few_ticks(axes, 3)
    sense = f"{LABELS[name]} ({better_sense(name)} is better)"
    sense = LABELS[name] if name in NO_SENSE else sense
    heading(axes, sense, look, said(BETTER[name] * (treated - baseline), NO_SENSE.get(name, "improved")))


def said(differences: np.ndarray, verb: str = "improved") -> str:
    """How many videos improved and how sure that is, in a few words."""
    found = compared(differences)
    if found.videos < FEWEST_VIDEOS:
        return f"{found.improved}/{found.changed} {verb}, too few for a p"
    if found.sign_p is None:
        return "no change in any video"
    p = "< 0.001" if found.sign_p < 0.001 else f"{found.sign_p:.2g}"
    return f"{found.improved}/{found.changed} {verb}, p {p}, d {found.d:+.2f}"


def _limits(values: np.ndarray) -> tuple[float, float]:
    """A range around all values with some room, never so narrow that its ticks need many digits."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    room = max(0.08 * (high - low), 0.05 * max(abs(low), abs(high))) or 0.01
    return low - room, high + room


def thinned(values: np.ndarray, most: int) -> np.ndarray:
    """At most so many entries, evenly spaced: the same every time."""
    return values if len(values) <= most else values[np.linspace(0, len(values) - 1, most).round().astype(int)]
