"""The tension study on the demo model: STH against nothing over unseen prompts, as statistics."""

from __future__ import annotations

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

import torch

from pack.py.core.store import RUNS
from pack.py.core.trace import Trace
from pack.py.host.attach import attach
from pack.py.measures.tension_statistics import statistics
from pack.py.records.trace_set import TraceSet, joined, trace_set
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.sth import SpectralTransportHomeostasis
from pack.py.views.tension import table

from .lab import BATCH, Lab, Report

CLIPS, TAU = 2 * BATCH, 1.0
INTRODUCTION = (
    "# Spectral Transport Homeostasis on the demo model\n\n"
    f"{CLIPS} unseen prompts, the same noise with STH at tau {TAU:g} and without, its weights at their defaults: `deep strong`, "
    "which spares block 0, where this model has most tension, and `progress`. What *Tension Statistics* says:"
)


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


def study(lab: Lab) -> list[str]:
    """The statistics."""
    return [f"```\n{table.text(statistics(videos(lab)))}\n```", "The same runs as figures: [figures.md](../figures.md)."]


def run(lab: Lab, part: str | None = None) -> None:
    """Writes the page."""
    Report("tension_study", INTRODUCTION, {"pairs": study}).run(lab, part)
