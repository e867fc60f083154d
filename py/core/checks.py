"""Checks of single settings: each raises TemporalAttentionError where a technique could not work with the value."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .errors import TemporalAttentionError


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """The value is one of those allowed."""
    allowed = tuple(allowed)
    if value not in allowed:
        article = "an" if name[0] in "aeiou" else "a"
        listed = ", ".join(map(repr, allowed))  # in quotes, as some have commas in them
        raise TemporalAttentionError(f"{article} {name} out of {listed}", repr(value), "Choose one of them.")


def finite(name: str, value: float) -> None:
    """The value is a number, and not infinite."""
    if not math.isfinite(value):
        raise TemporalAttentionError(f"a finite number for {name}", str(value), f"Set {name} to a number such as 0.2.")


def within(name: str, value: float, low: float, high: float, do: str = "") -> None:
    """low <= value <= high; `do` says what is usual."""
    if not low <= value <= high:
        do = do or f"Set it between {low:g} and {high:g}."
        raise TemporalAttentionError(f"a number from {low:g} to {high:g} for {name}", f"{value:g}", do)


def at_least(name: str, value: float, least: float, do: str = "") -> None:
    """The value is not below the least; `do` says what is usual."""
    if not value >= least:
        do = do or f"Set it to {least:g} or more."
        raise TemporalAttentionError(f"a number of at least {least:g} for {name}", f"{value:g}", do)


def sampled_rows(count: int) -> None:
    """There is a row to measure from."""
    if count < 1:
        raise TemporalAttentionError("at least 1 sampled row", str(count), "Raise the number of rows.")
