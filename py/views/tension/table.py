"""The statistics of a trace set as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict

from ...measures.paired import FEWEST_VIDEOS
from ...measures.tension_statistics import Row, Statistics

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
HEAD = f"{'fig':4}{'metric':56}{'improved':>10}{'of':>4}{'mean change':>13}{'d':>8}{'sign p':>11}{'Wilcoxon p':>13}"


def text(found: Statistics) -> str:
    """A table to read, with what it compares and what may be concluded."""
    against = "each call with itself before the edits" if found.own_baseline else "each run with its baseline run"
    return "\n".join(
        [
            f"{found.videos} videos, {found.calls} calls; compared: {against}",
            _active(found),
            "",
            HEAD,
            *map(_line, found.rows),
            "",
            *_notes(found),
        ]
    )


def as_csv(found: Statistics) -> str:
    """The rows with a header; a test that was not made leaves its cell empty."""
    out = io.StringIO()
    rows = [_flat(row) for row in found.rows]
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_json(found: Statistics) -> str:
    """Everything, with null for what is not known."""
    facts = {key: value for key, value in asdict(found).items() if key != "rows"}
    return json.dumps({**_nulled(facts), "rows": [_nulled(_flat(row)) for row in found.rows]}, indent=2)


def _flat(row: Row) -> dict[str, object]:
    return {"figure": row.figure, "metric": row.metric, "improved_means": row.improved_means, **asdict(row.test)}


def _nulled(values: dict[str, object]) -> dict[str, object]:
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}


def _line(row: Row) -> str:
    t = row.test
    metric = f"{row.metric} ({row.improved_means})"
    numbers = f"{t.improved:>10}{t.changed:>4}{t.mean:>+13.5f}{t.d:>+8.2f}"
    return f"{row.figure:4}{metric:56}{numbers}{_p(t.sign_p):>11}{_p(t.wilcoxon_p):>13}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    stars = next((stars for level, stars in STARS if value < level), "")
    return f"{value:.2g}{stars}"


def _active(found: Statistics) -> str:
    if not found.active:
        return "no active call (STH set no gamma that far from 1): rows A and M are empty or over all calls"
    return (
        f"{found.active} active calls ({found.active / found.calls:.0%}); "
        f"{found.directed:.1%} of their gammas are on the side of 1 that T asks for"
    )


def _notes(found: Statistics) -> list[str]:
    notes = [
        "One video is one unit; calls of a video are not independent and are not counted. Mean change and Cohen's d (mean over",
        "standard deviation of the paired differences, d_z) are positive where improved in the paper's sense. p: two-sided, not",
        "corrected for the number of rows. * < 0.05, ** < 0.01, *** < 0.001. Balance: the paper expects no change.",
    ]
    if found.videos < FEWEST_VIDEOS:
        few = f"Only {found.videos} videos: no p-value below {FEWEST_VIDEOS}, as no result could reach 0.05."
        notes.insert(0, f"{few} Trace more seeds or prompts.")
    return notes
