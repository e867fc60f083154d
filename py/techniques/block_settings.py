"""Checks of the settings that techniques on block outputs share."""

from __future__ import annotations

from ..core.checks import within
from ..core.errors import TemporalAttentionError
from ..maths.token_regions import MOST_PERCENT


def check_channels(channels: tuple[int, ...]) -> None:
    """Raises TemporalAttentionError for a negative channel number or one that stands twice."""
    if any(channel < 0 for channel in channels) or len(set(channels)) < len(channels):
        raise TemporalAttentionError("channel numbers of 0 or more, each once", f"{channels}", "Change the channels.")


def check_percent(percent: float) -> None:
    """Raises TemporalAttentionError where the size of a boundary is not between 0 and 50 % of a frame."""
    within("the boundary percent", percent, 0, MOST_PERCENT, "8 and 12 are the paper's values.")
