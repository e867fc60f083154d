"""The quantities that can be drawn from a trace: one number per attention call, with how to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..core.errors import TemporalAttentionError
from ..core.events import Branch
from ..core.trace import Record, Trace
from ..maths.transport import spectral_entropy
from ..records.correction import tension_by_head


@dataclass(frozen=True)
class Quantity:
    """One number per record.

    `center` is the value that means "nothing to see" (its colours run apart from there), or None for a plain scale.
    `bounds` are the quantity's natural bounds, if it has any. `partner` is the quantity it is compared with: both are drawn
    on one colour scale.
    """

    label: str
    of: Callable[[Record], float]
    center: float | None = None
    bounds: tuple[float, float] | None = None
    partner: str | None = None


def chosen_records(trace: Trace, branch: Branch | None, steps: set[int] | None, blocks: set[int] | None) -> list[Record]:
    """The records of a branch, some steps and some blocks (None = all). Raises TemporalAttentionError where there are none."""
    records = trace.select(branch, steps, blocks)
    if not records:
        raise TemporalAttentionError(
            "recorded attention in the chosen blocks, steps and branch", "none", f"The run has {_extent(trace)}."
        )
    return records


def _extent(trace: Trace) -> str:
    blocks = {r.site.block for r in trace.records}
    steps = {r.step.index for r in trace.records}
    return f"blocks {min(blocks)}-{max(blocks)} and steps {min(steps)}-{max(steps)}" if blocks else "no records at all"


def h_row(record: Record, after: bool) -> np.ndarray:
    """[H] row entropy of each head (Eq. 1)."""
    return record.value("h_row", after)


def h_vn(record: Record, after: bool) -> np.ndarray:
    """[H] von Neumann entropy of each head, from the recorded spectrum (Eq. 2)."""
    return spectral_entropy(record.value("spectrum", after))


def frames(record: Record, after: bool) -> np.ndarray:
    """[F, F] frame attention averaged over heads."""
    return record.value("frames", after)


def frames_by_head(record: Record, after: bool) -> np.ndarray:
    """[H, F, F] frame attention of each head, where they were kept."""
    return record.value("frames_by_head", after)


def tension(record: Record, after: bool) -> float:
    """Spectral Tension of the call: T = H_row - H_vN averaged over heads (Eq. 3)."""
    return float(tension_by_head(record, after).mean())


def _gain(record: Record) -> float:
    return record.mean("gamma", "gain")


def _reduction(record: Record) -> float:
    return abs(tension(record, after=False)) - abs(tension(record, after=True))


PerCall = Callable[[Record, bool], np.ndarray | float]


def _mean(of: PerCall, after: bool) -> Callable[[Record], float]:
    return lambda record: float(np.mean(of(record, after)))


def _before_and_after(
    name: str, label: str, of: PerCall, bounds: tuple[float, float], center: float | None = None
) -> dict[str, Quantity]:
    before, after = f"{name} before", f"{name} after"
    return {
        before: Quantity(f"{label} as the model made it", _mean(of, False), center, bounds, after),
        after: Quantity(f"{label} after the edits", _mean(of, True), center, bounds, before),
    }


QUANTITIES: dict[str, Quantity] = {
    **_before_and_after("tension", "Spectral Tension T", tension, (-1.0, 1.0), center=0.0),
    "tension reduction": Quantity("|T| before minus |T| after (positive = calmer)", _reduction, 0.0),
    "gamma": Quantity("Gain of STH on the queries, or by its other rule on the output", _gain, 1.0),
    "tau_eff": Quantity("Effective strength tau_eff", lambda record: record.mean("tau_eff")),
    **_before_and_after("row entropy", "Row entropy H_row", h_row, (0.0, 1.0)),
    **_before_and_after("von Neumann entropy", "von Neumann entropy H_vN", h_vn, (0.0, 1.0)),
}
