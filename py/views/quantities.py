"""The quantities that can be drawn from a trace: one number per attention call, with how to show it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from ..core.trace import Record


@dataclass(frozen=True)
class Quantity:
    """One number per record.

    `center` is the value that means "nothing to see" (its colours run apart from there), or None for a plain scale.
    `limits` bound the colours where the quantity has natural bounds.
    """

    label: str
    of: Callable[[Record], float]
    center: float | None = None
    limits: tuple[float, float] | None = None


def h_row(record: Record, after: bool) -> np.ndarray:
    """[H] row entropy of each head (Eq. 1)."""
    return _value(record, "h_row", after)


def h_vn(record: Record, after: bool) -> np.ndarray:
    """[H] von Neumann entropy of each head, from the recorded spectrum (Eq. 2)."""
    spectrum = _value(record, "spectrum", after)
    return entr(spectrum).sum(-1) / math.log(spectrum.shape[-1])


def frames(record: Record, after: bool) -> np.ndarray:
    """[F, F] frame attention averaged over heads."""
    return _value(record, "frames", after)


def tension(record: Record, after: bool) -> float:
    """Spectral Tension of the call: T = H_row - H_vN averaged over heads (Eq. 3)."""
    return float((h_row(record, after) - h_vn(record, after)).mean())


def gamma(record: Record) -> float:
    """Mean query gain over heads; 1 where no intervention set one."""
    return float(record.values["gamma"].mean()) if "gamma" in record.values else math.nan


def _value(record: Record, name: str, after: bool) -> np.ndarray:
    return record.values.get(f"after.{name}", record.values[name]) if after else record.values[name]


def _reduction(record: Record) -> float:
    return abs(tension(record, after=False)) - abs(tension(record, after=True))


def _tau_eff(record: Record) -> float:
    return float(record.values["tau_eff"].mean()) if "tau_eff" in record.values else math.nan


def _mean(of: Callable[[Record, bool], np.ndarray], after: bool) -> Callable[[Record], float]:
    return lambda record: float(of(record, after).mean())


TENSION = (-1.0, 1.0)
ENTROPY = (0.0, 1.0)
QUANTITIES: dict[str, Quantity] = {
    "tension before": Quantity("Spectral Tension T as the model made it", lambda r: tension(r, False), 0.0, TENSION),
    "tension after": Quantity("Spectral Tension T after the edits", lambda r: tension(r, True), 0.0, TENSION),
    "tension reduction": Quantity("|T| before minus |T| after (positive = calmer)", _reduction, 0.0),
    "gamma": Quantity("query gain gamma (above 1 = sharpened)", gamma, 1.0),
    "tau_eff": Quantity("effective strength tau_eff", _tau_eff),
    "row entropy before": Quantity("row entropy H_row as the model made it", _mean(h_row, False), limits=ENTROPY),
    "row entropy after": Quantity("row entropy H_row after the edits", _mean(h_row, True), limits=ENTROPY),
    "von Neumann entropy before": Quantity("von Neumann entropy H_vN as the model made it", _mean(h_vn, False), limits=ENTROPY),
    "von Neumann entropy after": Quantity("von Neumann entropy H_vN after the edits", _mean(h_vn, True), limits=ENTROPY),
}
