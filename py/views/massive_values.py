"""One channel of a massive-activation trace: its magnitudes along the tokens, by region, and over the steps."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..core.trace import Record

REGIONS = ("first frame", "boundary", "interior")


def mean_peaks(records: list[Record]) -> np.ndarray:
    """[C] peak of every channel, averaged over the records (all of one block)."""
    return np.mean([record.values["peaks"] for record in records], axis=0)


def followed(records: list[Record], count: int) -> list[int]:
    """The `count` channels of highest mean peak among those that some record follows along the tokens, the strongest first."""
    channels = {int(channel) for record in records for channel in record.values["strongest"]}
    peaks = mean_peaks(records)
    return sorted(channels, key=lambda channel: -peaks[channel])[:count]


def of_channel(records: list[Record], name: str, channel: int) -> np.ndarray | None:
    """The mean of "profile" [F, P], "region.peaks" [3] or "region.means" [3] over the records that follow this channel.

    None where no record does. The profiles must have one shape: see `of_one_shape`.
    """
    found = [r.values[name][r.values["strongest"] == channel] for r in records if channel in r.values["strongest"]]
    return np.mean([values[0] for values in found], axis=0) if found else None


def of_one_shape(records: list[Record]) -> list[Record]:
    """The records whose profiles have the most frequent shape: context windows may differ in their number of frames."""
    shapes = Counter(record.values["profile"].shape for record in records)
    return [record for record in records if record.values["profile"].shape == shapes.most_common(1)[0][0]]


def over_steps(records: list[Record], channel: int) -> tuple[np.ndarray, np.ndarray]:
    """(step numbers [n], mean |x| by region [n, 3]) of the steps at which some record follows this channel."""
    by_step: dict[int, list[Record]] = {}
    for record in records:
        by_step.setdefault(record.step.index, []).append(record)
    means = {step: of_channel(inside, "region.means", channel) for step, inside in sorted(by_step.items())}
    kept = {step: values for step, values in means.items() if values is not None}
    return np.array(list(kept)), np.array(list(kept.values())).reshape(-1, len(REGIONS))
