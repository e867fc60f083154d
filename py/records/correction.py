"""What STH set in one attention call: the mean of its gammas, how large the correction is, and whether it goes where T asks.

Temporal State Transport in Video Generation (Tang et al.), Eq. 6 and appendix M.2. The paper sets one gamma for a call; with one
for each head, gammas on both sides of 1 would cancel in a mean, so size and direction are taken head by head.
"""

from __future__ import annotations

import math

import numpy as np

from ..core.trace import Record
from ..maths.transport import spectral_entropy


def gamma(record: Record) -> float:
    """Mean over heads; NaN where none was set."""
    return record.mean("gamma")


def size(record: Record) -> float:
    """|gamma - 1|, averaged over heads; NaN where no gamma was set."""
    return float(np.abs(record.values["gamma"] - 1).mean()) if "gamma" in record.values else math.nan


def directed(record: Record) -> float:
    """Share of the gammas that are on the side of 1 that T asks for: that of their head, or the mean; NaN where none was set."""
    if "gamma" not in record.values:
        return math.nan
    gammas, t = record.values["gamma"], tension_by_head(record, after=False)
    return float(np.mean(np.sign(gammas - 1) == np.sign(t if by_head(record) else t.mean())))


def by_head(record: Record) -> bool:
    """Did STH set a gamma for each head?"""
    return "gamma" in record.values and record.values["gamma"].ndim > 0


def tension_by_head(record: Record, after: bool) -> np.ndarray:
    """[H] Spectral Tension T = H_row - H_vN of each head (Eq. 3)."""
    return record.value("h_row", after) - spectral_entropy(record.value("spectrum", after))
