"""Inputs that several nodes share, and what their values mean."""

from __future__ import annotations

import re
from dataclasses import replace

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.core.events import Branch
from ..py.core.store import MOST_RUNS, RUNS, Found
from ..py.core.trace import Trace as LoadedTrace
from ..py.techniques.estimator import NAMES

CATEGORY = "temporal attention"
DIAGNOSTICS = f"{CATEGORY}/diagnostics"

Trace = io.Custom("TA_TRACE")
Similarity = io.Custom("TA_FRAME_SIMILARITY")

LOADABLE = "Trace Attention, Trace Video or Load Trace"  # whose traces may be runs from files

FORGOTTEN = f"the run is older than the last {MOST_RUNS}: change the sampler's seed to run it again."

LARGEST_NUMBER = 9999

BOTH = "cond and uncond"
BRANCHES = {BOTH: None, "cond only": Branch.COND, "uncond only": Branch.UNCOND}


def window_inputs(end: float = 1.0, why: str = "") -> list[io.Input]:
    """start_percent and end_percent, the host's own measure of a run; `why` ends the tooltip of the end."""
    common = {"min": 0.0, "max": 1.0, "step": 0.01}
    return [
        io.Float.Input(
            "start_percent",
            default=0.0,
            advanced=True,
            tooltip="Where in the run the node starts acting, 0 = first step. Same scale as start_percent in built-in nodes.",
            **common,
        ),
        io.Float.Input(
            "end_percent",
            default=end,
            advanced=True,
            tooltip=f"Where in the run the node stops acting, 1 = last step.{why}",
            **common,
        ),
    ]


def blocks_input() -> io.Input:
    """Block numbers as text."""
    return io.String.Input(
        "blocks",
        default="",
        advanced=True,
        placeholder="all",
        tooltip="Blocks of the network to act on, counted from 0, such as 0-9, 12, 20-29. Empty = all blocks.",
    )


def steps_input(tooltip: str, advanced: bool = True, placeholder: str = "all") -> io.Input:
    """Step numbers as text."""
    return io.String.Input("steps", default="", advanced=advanced, placeholder=placeholder, tooltip=tooltip)


def temporal_compression_input(least: int, advanced: bool, what_for: str = "", after: str = "") -> io.Input:
    """Video frames of a latent frame; `what_for` and `after` go into the tooltip."""
    return io.Int.Input(
        "temporal_compression",
        default=4,
        min=least,
        max=64,
        advanced=advanced,
        tooltip=f"Video frames per latent frame after the first{what_for}: 4 for Wan, HunyuanVideo and "
        f"CogVideoX, 6 for Mochi, 8 for LTX-Video and Cosmos 1.{after}",
    )


def branch_input(verb: str) -> io.Input:
    """Which side of classifier-free guidance is meant."""
    return io.Combo.Input(
        "branch",
        options=list(BRANCHES),
        default=BOTH,
        advanced=True,
        tooltip=f"{verb} the conditional (positive prompt) side of guidance, the unconditional (negative) side, or both.",
    )


def estimator_inputs() -> list[io.Input]:
    """How frame attention is measured."""
    return [
        io.Combo.Input(
            "estimator",
            options=list(NAMES),
            default=NAMES[0],
            advanced=True,
            tooltip="How the frame-to-frame attention is measured. same_position: each position over its frames (what the "
            "published results used). pooled: mean query and key of each frame (cheapest). exact: the true share of "
            "attention between frames, from sampled rows (slowest).",
        ),
        io.Int.Input(
            "rows",
            default=4,
            min=1,
            max=4096,
            advanced=True,
            tooltip="Query rows that the exact estimator samples in each frame. More = less noise, more time.",
        ),
    ]


def keep_attention_input() -> io.Input:
    """Whether a gradient skips attention where it runs blocks again."""
    return io.Boolean.Input(
        "keep_attention",
        default=False,
        advanced=True,
        tooltip="Keep the output of each attention for the backward pass: a gradient takes 6 to 14 % less time (measured), with "
        "a larger saving in long videos, and up to 50 % more memory.",
    )


def numbers(text: str, what: str) -> frozenset[int] | None:
    """'0-3, 7' -> {0, 1, 2, 3, 7}; empty text -> None, which means all. `what` names the numbers in the error."""
    chosen: set[int] = set()
    for part in filter(None, (p.strip() for p in text.split(","))):
        match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last > LARGEST_NUMBER:
            raise TemporalAttentionError(
                f"{what} such as 0-9, 12, at most {LARGEST_NUMBER}",
                repr(part),
                "Write ranges from low to high, separated by commas.",
            )
        chosen.update(range(first, last + 1))
    return frozenset(chosen) or None


def trace_inputs(socket=Trace, node: str = LOADABLE) -> list[io.Input]:
    """The trace of a node, and the latent that says which run is meant: a loaded trace is a run by itself."""
    loadable = node == LOADABLE
    return [
        socket.Input("trace", tooltip=f"The trace from a {node} node."),
        io.Latent.Input(
            "samples",
            optional=loadable,
            tooltip="The latent that the traced sampler returned. It makes this node wait for the sampler and tells it which "
            f"run is meant.{' A trace from Load Trace needs none.' if loadable else ''}",
        ),
    ]


def traced_run(trace, samples: dict | None, node: str = "Trace Attention") -> Found:
    """The run behind `trace_inputs`. Raises TemporalAttentionError where nothing was traced yet or the latent is missing."""
    if isinstance(trace, LoadedTrace):
        return Found(trace, exact=True)
    if samples is None:
        raise TemporalAttentionError(
            "the latent of the traced sampler at samples", "nothing", "Connect it: only a trace from Load Trace needs none."
        )
    found = RUNS.find(samples["samples"], trace)
    if found is None:
        raise TemporalAttentionError(
            "a trace with a run in it",
            "one without any",
            f"Connect the MODEL of the same {node} node to the sampler, and the sampler's LATENT to samples. If both are already "
            f"connected, {FORGOTTEN}",
        )
    return found


def very_run(trace, samples: dict | None) -> LoadedTrace:
    """The run behind `trace_inputs` for what is kept beyond a picture. Raises TemporalAttentionError where another stands in."""
    found = traced_run(trace, samples)
    if not found.exact:
        raise TemporalAttentionError(
            "the latent of a traced run at samples",
            "one that no traced run returned",
            f"Connect the LATENT of the sampler itself, before any node that changes it. If it is, {FORGOTTEN}",
        )
    return found.trace


def frame_attention_run(trace, samples: dict | None) -> Found:
    """The run behind `trace_inputs`, with only the calls in which frames attend to frames."""
    found = traced_run(trace, samples)
    return replace(found, trace=found.trace.holding("h_row"))


def provenance(found: Found) -> str:
    """What a picture's title says where the latent did not identify the run."""
    return "" if found.exact else " (showing the newest traced run; none returned this latent)"
