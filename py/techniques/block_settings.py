"""Checks of the settings that techniques on block outputs share."""

from __future__ import annotations

from ..core.errors import TemporalAttentionError
from ..maths.token_regions import MOST_PERCENT


def check_channels(channels: tuple[int, ...]) -> None:
    """Raises TemporalAttentionError for a negative channel number or one that stands twice."""
    if any(channel < 0 for channel in channels) or len(set(channels)) < len(channels):
        raise TemporalAttentionError("channel numbers of 0 or more, each once", f"{channels}", "Change the channels.")


def check_percent(percent: float) -> None:
    """Raises TemporalAttentionError where the size of a boundary is not between 0 and 50 % of a frame."""
    if not 0 <= percent <= MOST_PERCENT:
        raise TemporalAttentionError(
            f"a boundary percent from 0 to {MOST_PERCENT:g}", f"{percent:g}", "8 and 12 are the paper's values."
        )
