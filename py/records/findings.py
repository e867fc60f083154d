"""The channels of a profile that stand out, each in the block where it does so most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..maths.massive_activations import massive, ratio, weakly_massive
from .profile import MassiveProfile


@dataclass(frozen=True)
class Finding:
    """A channel's peak in its best block, as such and over the mean and the median peak there; `blocks`: where it was found."""

    channel: int
    block: int
    peak: float
    to_mean: float
    to_median: float
    blocks: tuple[int, ...]


def massive_channels(profile: MassiveProfile) -> list[Finding]:
    """The channels that are massive in some block, by falling peak over mean."""
    return _findings(profile, {block: massive(peaks) for block, peaks in profile.peaks.items()})


def weak_channels(profile: MassiveProfile) -> list[Finding]:
    """The channels that are weakly massive in some block and massive in none, by falling peak over mean."""
    strong = {finding.channel for finding in massive_channels(profile)}
    found = _findings(profile, {block: weakly_massive(peaks) for block, peaks in profile.peaks.items()})
    return [finding for finding in found if finding.channel not in strong]


def candidates(profile: MassiveProfile, count: int) -> list[Finding]:
    """The `count` channels of the largest peak over mean, whatever it is."""
    chosen = {}
    for block, peaks in profile.peaks.items():
        chosen[block] = np.zeros(len(peaks), bool)
        chosen[block][np.argsort(-peaks)[:count]] = True
    return _findings(profile, chosen)[:count]


def _findings(profile: MassiveProfile, chosen: Mapping[int, np.ndarray]) -> list[Finding]:
    blocks: dict[int, list[int]] = {}
    for block, mask in chosen.items():
        for channel in np.flatnonzero(mask):
            blocks.setdefault(int(channel), []).append(block)
    found = (_finding(profile, channel, inside) for channel, inside in blocks.items())
    return sorted(found, key=lambda finding: -finding.to_mean)


def _finding(profile: MassiveProfile, channel: int, blocks: list[int]) -> Finding:
    means = {block: float(profile.peaks[block].mean()) for block in blocks}
    block = max(blocks, key=lambda b: ratio(float(profile.peaks[b][channel]), means[b]))
    peak, median = float(profile.peaks[block][channel]), float(np.median(profile.peaks[block]))
    return Finding(channel, block, peak, ratio(peak, means[block]), ratio(peak, median), tuple(blocks))
