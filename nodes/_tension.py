"""Sockets and inputs that the nodes of the tension study share."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.measures.tension_statistics import ACTIVE, DEPTH
from ..py.records.trace_set import TraceSet as Videos
from ..py.records.trace_set import trace_set
from ..py.views.figure import THEMES
from ..py.views.tension.common import Look
from . import _inputs as shared

TraceSet = io.Custom("TA_TRACE_SET")


def trace_or_set_inputs() -> list[io.Input]:
    """A set, or a treated trace and maybe its baseline, each with the latent that says which run is meant."""
    return [*treated_inputs(), *baseline_inputs()]


def treated_inputs() -> list[io.Input]:
    """A set, or a treated trace with its latent."""
    return [
        io.MultiType.Input(
            "trace",
            types=[shared.Trace, TraceSet],
            tooltip="A run with a technique on it, from Trace Attention or Load Trace, or many runs from Trace Set.",
        ),
        io.Latent.Input(
            "samples",
            optional=True,
            tooltip="The latent that the traced sampler returned. Not needed for a trace from Load Trace or Trace Set.",
        ),
    ]


def baseline_inputs() -> list[io.Input]:
    """The same run without the technique."""
    return [
        shared.Trace.Input(
            "baseline",
            optional=True,
            tooltip="The same run without the technique: same seed, steps and size. Not connected = each call is compared with "
            "itself before the edits.",
        ),
        io.Latent.Input(
            "baseline_samples", optional=True, tooltip="The latent from the baseline's sampler. A loaded trace needs none."
        ),
    ]


def look_inputs() -> list[io.Input]:
    """How a figure looks, and which calls it counts as active and deep."""
    return [*which_calls_inputs(), theme_input()]


def theme_input() -> io.Input:
    """The colours of a figure."""
    return io.Combo.Input("theme", options=list(THEMES), default="light", advanced=True, tooltip="Light or dark background.")


def active_threshold_input() -> io.Input:
    """From which effect on a call counts as active."""
    return io.Float.Input(
        "active_threshold",
        default=ACTIVE,
        min=0.0,
        max=1.0,
        step=0.001,
        advanced=True,
        tooltip="A call counts as active where |gamma - 1| is above this (the paper: 0.03; it suggests 0.036).",
    )


def which_calls_inputs() -> list[io.Input]:
    """Which calls count as active and as deep, and which branch they belong to."""
    return [
        active_threshold_input(),
        io.Float.Input(
            "deep",
            default=DEPTH,
            min=0.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip="Blocks from this depth on count as deep: 0 = all of them, 0.5 = the second half (the paper).",
        ),
        shared.branch_input("Count"),
    ]


def chosen(trace, samples, baseline, baseline_samples, branch: str) -> tuple[Videos, str]:
    """The set behind `trace_or_set_inputs`, and what a picture says where a latent did not identify its run."""
    if isinstance(trace, Videos):
        if baseline is not None:
            raise TemporalAttentionError(
                "nothing at baseline with a trace set", "a trace", "Give the baselines to the Trace Set node instead."
            )
        return trace, ""
    return paired(trace, samples, baseline, baseline_samples, branch, "video")


def paired(trace, samples, baseline, baseline_samples, branch: str, name: str) -> tuple[Videos, str]:
    """The videos of one traced run, and of its baseline if there is one."""
    found = shared.frame_attention_run(trace, samples)
    plain = None if baseline is None else shared.frame_attention_run(baseline, baseline_samples)
    videos = trace_set(found.trace, plain and plain.trace, name, shared.BRANCHES[branch])
    return videos, shared.provenance(found) or (plain and shared.provenance(plain)) or ""


def look_of(theme: str, active_threshold: float, deep: float, note: str) -> Look:
    """The values of `look_inputs`."""
    return Look(THEMES[theme], active_threshold, deep, note)
