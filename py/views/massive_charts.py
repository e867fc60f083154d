"""Pictures of massive activations: channels over tokens, one channel along the tokens, and its magnitude over the steps.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), Fig. 1 and 2.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..core.trace import Record, Trace
from ..maths.massive_activations import massive, ratio, weakly_massive
from ..maths.token_regions import boundary_size
from ..records.massive_trace import when
from .figure import caption, colour_map, figure, ticks, to_image
from .massive_values import REGIONS, followed, mean_peaks, of_channel, of_one_shape, over_steps

ROWS = 8
MOST_FRAME_TICKS, MOST_STEP_TICKS = 24, 12
COLOURS = ("#b2182b", "#ef8a62", "#2166ac")  # first frame, boundary, interior
LINE, BORDER = "#333333", "#bbbbbb"


def channels_over_tokens(trace: Trace, records: list[Record], note: str = "") -> Tensor:
    """[1, height, 1024, 3] picture: the strongest channels of one block downwards, the video's tokens to the right.

    Args:
        records: those of one block, of the steps and the branch to average over.
        note: added to the title, such as where the run came from.
    """
    records = of_one_shape(records)
    channels, peaks = followed(records, ROWS), mean_peaks(records)
    profiles = [of_channel(records, "profile", channel) for channel in channels]
    cells = np.ma.masked_invalid([profile.ravel() for profile in profiles])
    with figure(height=1.9 + 0.32 * len(channels), title="Magnitude of the strongest channels") as drawing:
        axes = drawing.subplots()
        mesh = axes.imshow(cells, cmap=colour_map(), norm=_logarithmic(cells), aspect="auto", interpolation="nearest")
        caption(axes, f"{_where(trace, records)}, {when(records)}{note}")
        axes.set_yticks(range(len(channels)), [_name(channel, peaks) for channel in channels])
        axes.set_ylabel("channel, its peak over the mean peak")
        _number_frames(axes, *profiles[0].shape)
        drawing.colorbar(mesh, ax=axes, pad=0.02, label="mean |x|")
        return to_image(drawing)


def channel_along_tokens(trace: Trace, records: list[Record], channel: int, percent: float, note: str = "") -> Tensor:
    """[1, height, 1024, 3] picture: |x| of one channel along the video's tokens, with the borders of the latent frames.

    Args:
        records: those of one block, of the steps and the branch to average over; some of them follow this channel.
        percent: the part of a frame at each end that is shaded as its boundary.
        note: added to the title.
    """
    records = of_one_shape([record for record in records if channel in record.values["strongest"]])
    profile = of_channel(records, "profile", channel)
    frames, parts = profile.shape
    spatial = int(records[0].values["spatial"])
    with figure(height=3.8, title=f"Channel {_name(channel, mean_peaks(records))} the mean peak, along the tokens") as drawing:
        axes = drawing.subplots()
        _shade(axes, frames, parts, parts * boundary_size(spatial, percent) / spatial)
        axes.stairs(profile.ravel(), np.arange(profile.size + 1) - 0.5, baseline=None, color=LINE, linewidth=1)
        caption(axes, f"{_where(trace, records)}, {when(records)}{note}")
        axes.set_ylabel("mean |x|")
        axes.set_ylim(bottom=0)
        _number_frames(axes, frames, parts)
        drawing.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
        return to_image(drawing)


def regions_over_steps(trace: Trace, records: list[Record], channel: int, note: str = "") -> Tensor:
    """[1, height, 1024, 3] picture: one channel's mean |x| in the first frame, the boundaries and the interior, over the steps.

    Args:
        records: those of one block and of the branch to average over, of all steps; some of them follow this channel.
        note: added to the title.
    """
    steps, values = over_steps(records, channel)
    with figure(height=3.8, title=f"Channel {channel} over the steps") as drawing:
        magnitude, quotient = drawing.subplots(1, 2, width_ratios=(3, 2))
        for i, (region, colour) in enumerate(zip(REGIONS, COLOURS, strict=True)):
            magnitude.plot(steps, values[:, i], color=colour, marker="o", markersize=3, label=region)
        caption(magnitude, f"{_where(trace, records)}{note}")
        magnitude.set_ylabel("mean |x|")
        magnitude.set_ylim(bottom=0)
        magnitude.legend(frameon=False, fontsize=8)
        quotient.plot(steps, _quotient(values[:, 1], values[:, 2]), color=COLOURS[1], marker="o", markersize=3)
        quotient.axhline(1, color=BORDER, linewidth=1)
        quotient.set_ylabel("boundary over interior")
        for axes in (magnitude, quotient):
            axes.set_xlabel("sampling step")
            axes.set_xticks(steps[:: ticks(len(steps), MOST_STEP_TICKS).step])
        return to_image(drawing)


def _quotient(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """NaN, which leaves a gap, where there is nothing to divide by."""
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)


def _where(trace: Trace, records: list[Record]) -> str:
    site = records[0].site
    return f"{trace.family}, block {site.block} of 0-{site.blocks - 1}"


def _name(channel: int, peaks: np.ndarray) -> str:
    kind = " (massive)" if massive(peaks)[channel] else " (weak)" if weakly_massive(peaks)[channel] else ""
    return f"{channel}{kind}, {ratio(peaks[channel], peaks.mean()):.1f} x"


def _logarithmic(cells: np.ma.MaskedArray):
    """Massive channels are 50 times the others: on a linear scale nothing else would be seen."""
    from matplotlib.colors import LogNorm

    positive = cells.compressed()[cells.compressed() > 0]
    low, high = (positive.min(), positive.max()) if positive.size else (0.1, 1.0)
    return LogNorm(low, max(high, 1.01 * low))


def _shade(axes, frames: int, parts: int, size: float) -> None:
    """Colours the first frame and the boundaries of the later ones, `size` wide at each end, and draws the frames' borders."""
    axes.axvspan(-0.5, parts - 0.5, color=COLOURS[0], alpha=0.12, linewidth=0, label=REGIONS[0])
    for start in range(parts, frames * parts, parts):
        axes.axvspan(start - 0.5, start - 0.5 + size, color=COLOURS[1], alpha=0.25, linewidth=0)
        axes.axvspan(start + parts - 0.5 - size, start + parts - 0.5, color=COLOURS[1], alpha=0.25, linewidth=0)
        axes.axvline(start - 0.5, color=BORDER, linewidth=0.6)
    axes.axvspan(0, 0, color=COLOURS[1], alpha=0.25, linewidth=0, label=REGIONS[1])


def _number_frames(axes, frames: int, parts: int) -> None:
    """The numbers of the latent frames, and a small mark at every border between two of them where there is room."""
    axes.set_xlim(-0.5, frames * parts - 0.5)
    shown = ticks(frames, MOST_FRAME_TICKS)
    axes.set_xticks([(frame + 0.5) * parts - 0.5 for frame in shown], [str(frame) for frame in shown])
    if len(shown) == frames:
        axes.set_xticks([frame * parts - 0.5 for frame in range(frames + 1)], minor=True)
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="x", which="minor", length=5)
    axes.set_xlabel("latent frame, its tokens in row-major order")
