"""The tension study on the demo model: STH against nothing over unseen prompts, as statistics."""

from __future__ import annotations

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

import torch

from pack.py.core.store import RUNS
from pack.py.core.trace import Trace
from pack.py.core.trace_set import TraceSet, joined, trace_set
from pack.py.host.attach import attach
from pack.py.measures.tension_statistics import statistics
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.sth import SpectralTransportHomeostasis
from pack.py.views.tension import table

from .lab import BATCH, Lab, Page

CLIPS, TAU = 2 * BATCH, 1.0


def traced(lab: Lab, model, prompts: list[str], seeds: range, recorder: FrameAttentionRecorder | None = None) -> Trace:
    """The run of one batch."""
    recorder = recorder or FrameAttentionRecorder()
    lab.videos(attach(model, recorder), prompts, seeds)
    return RUNS.find(torch.zeros(1), recorder).trace  # the newest one of this recorder


def videos(lab: Lab) -> TraceSet:
    """Pairs of runs of the same prompts and noise."""
    treated = attach(lab.model, SpectralTransportHomeostasis(tau=TAU))
    prompts = [prompt for _, prompt in unseen(CLIPS, 1, seed=11)]
    sets = []
    for first in range(0, CLIPS, BATCH):
        part, seeds = prompts[first : first + BATCH], range(first, first + BATCH)
        sets.append(trace_set(traced(lab, treated, part, seeds), traced(lab, lab.model, part, seeds), f"batch {first // BATCH}"))
    return joined(sets)


def run(lab: Lab) -> None:
    """Writes the page."""
    traces = videos(lab)
    Page("tension_study").add(
        "# Spectral Transport Homeostasis on the demo model",
        f"{CLIPS} unseen prompts, the same noise with STH at tau {TAU:g} and without. What *Tension Statistics* says:",
        f"```\n{table.text(statistics(traces))}\n```",
        "The same runs as figures: [figures.md](../figures.md).",
    )
