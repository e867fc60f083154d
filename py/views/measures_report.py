"""The measures of one or two clips in words."""

from __future__ import annotations

import math

from ..measures.video import Curve

READING = {
    "flicker": "lower is steadier",
    "motion smoothness": "higher is smoother",
    "dynamic degree": "higher moves more",
    "subject consistency": "higher is steadier",
    "background consistency": "higher is steadier",
}
WITHOUT = {
    "flicker": "nothing stands still",
    "subject consistency": "nothing moves",
    "background consistency": "nothing stands still",
}


def measures_report(before: dict[str, Curve], after: dict[str, Curve] | None = None) -> str:
    """A table with one measure a line, means over frames in percent, and below it how each was measured."""
    frames = len(before["flicker"].values)
    head = f"{'':<24}{'before':>10}{'after':>10}{'difference':>12}" if after else f"{'':<24}{'clip':>10}"
    rows = [f"{name:<24}{_columns(name, before, after)}  {READING[name]}" for name in before]
    hows = [f"{name}: {_how(name, before, after)}" for name in before]
    return "\n".join([f"{frames} frames; means over frames, in percent", "", head, *rows, "", *hows])


def summary(name: str, before: dict[str, Curve], after: dict[str, Curve] | None) -> str:
    """'1.230 %' of one clip, 'before 1.230 %, after 1.110 %' of two; why there is no number where there is none."""
    if not after:
        return _said(name, before)
    return f"before {_said(name, before)}, after {_said(name, after)}"


def _said(name: str, curves: dict[str, Curve]) -> str:
    return WITHOUT[name] if math.isnan(curves[name].mean) else f"{_number(curves[name].mean)} %"


def _columns(name: str, before: dict[str, Curve], after: dict[str, Curve] | None) -> str:
    if not after:
        return f"{_number(before[name].mean):>10}"
    ours, theirs = before[name].mean, after[name].mean
    return f"{_number(ours):>10}{_number(theirs):>10}{_number(theirs - ours, '+'):>12}"


def _number(value: float, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{round(value, 3) + 0.0:{sign}.3f}"  # + 0.0: no minus before a zero


def _how(name: str, before: dict[str, Curve], after: dict[str, Curve] | None) -> str:
    missing = [where for where, curves in (("before", before), ("after", after)) if curves and math.isnan(curves[name].mean)]
    where = f" {' and '.join(missing)}" if after else ""
    return before[name].how + (f" ({WITHOUT[name]}{where})" if missing else "")
