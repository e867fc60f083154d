"""Initial Noise Nursing on the demo model: does a new video take over when the reference's thing is there, and how it moves?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

import comfy.sample
import numpy as np
import torch
from torch import Tensor

from pack.nodes import _nursing
from pack.py.demo import world
from pack.py.demo.measure import measure
from pack.py.demo.verdict import judge
from pack.py.techniques.frame_attention_match import FrameAttentionTap
from pack.py.techniques.noise_nursing import NoiseNursing

from .lab import STEPS, Lab, Page, cell, noises, percent, sheet, table
from .seen import centres, displacement

PROMPTS, SEEDS, FRAMES = 8, 2, 33
GUIDANCE = {"timing": 1.0, "motion": 3.0}
HALVES = {"early": (0, 13), "late": (20, FRAMES)}
PERCENT = 0.5
NOISE = ["beta", "gamma", "size of mu", "noise: correlation of neighbours"]
INTRODUCTION = (
    f"{PROMPTS} unseen prompts with one thing, {SEEDS} seeds each, the same noise for every setting. The reference is drawn, not "
    "sampled: another clip of the same words. Means and 95 % bootstrap intervals over clips (Wilson's where all are right); "
    "seeds of one prompt are not independent, so for other prompts they are too narrow. CPU s: of one core, a clip, search "
    "and sampling. Correlation of neighbours: between the noise's values in neighbouring latent frames."
)


@dataclass(frozen=True)
class Given:
    """Fixed noise, as the NOISE of a node."""

    noise: Tensor
    seed: int = 0

    def generate_noise(self, latent: dict) -> Tensor:
        return self.noise


@dataclass(frozen=True)
class Case:
    """A prompt, the clip that it asks for, and the one that is the reference."""

    asked: world.Clip
    prompt: str
    reference: world.Clip
    half: str
    seeds: tuple[int, ...]


def cases() -> list[Case]:
    """Half of the references show their thing in the first 13 frames, half in the last 13."""
    found = []
    for i, (clip, prompt) in enumerate(unseen(PROMPTS, 1, seed=31)):
        half = list(HALVES)[i % 2]
        appears, vanishes = HALVES[half]
        shown = replace(clip, things=(replace(clip.things[0], appears=appears, vanishes=vanishes),))
        found.append(Case(clip, prompt, shown, half, tuple(range(200 + SEEDS * i, 200 + SEEDS * (i + 1)))))
    return found


def silent(motion: str) -> list[Case]:
    """Prompts that say nothing of motion, and references that move to the right or rest in the middle."""
    found = []
    for case in cases():
        thing = case.asked.things[0]
        start, speed = ((12.0, 32.0), 40 / (FRAMES - 1)) if motion == "right" else ((32.0, 32.0), 0.0)
        drawn = replace(thing, motion=motion, start=start, speed=speed, radius=10.0, appears=0, vanishes=FRAMES)
        prompt = f"a {thing.colours[0]} {thing.shape} on a {case.asked.backgrounds[0]} background"
        found.append(replace(case, prompt=prompt, reference=replace(case.asked, things=(drawn,))))
    return found


def nursed(lab: Lab, case: Case, noise: Tensor, settings: dict) -> tuple[Tensor, object]:
    """The noise of a case, and its distribution."""
    empty = {"samples": torch.zeros_like(noise)}
    reference = {"samples": lab.vae.encode(world.render([case.reference])[0].movedim(0, -1))}
    compared = _nursing.Compared(PERCENT, FrameAttentionTap())
    found, _ = _nursing.search(
        lab.model, lab.text(case.prompt), Given(noise), empty, reference, NoiseNursing(**settings), compared
    )
    return found.generate_noise(empty), found.distribution


@dataclass(frozen=True)
class Clip:
    """One clip, its case, its noise, and (beta, gamma, size of mu)."""

    case: Case
    video: Tensor
    noise: Tensor
    found: tuple[float, float, float] = (1.0, 0.0, 0.0)


def clips(lab: Lab, found: Sequence[Case], settings: dict | None, guidance: float) -> list[Clip]:
    """Every case with each of its seeds; without settings, the plain noise."""
    made = []
    for case in found:
        noise, told = noises(case.seeds), [(1.0, 0.0, 0.0)] * len(case.seeds)
        if settings is not None:
            noise, d = nursed(lab, case, noise, settings)
            size = d.mean.square().flatten(1).mean(1).sqrt()
            told = list(zip(d.beta.tolist(), d.gamma.tolist(), size.tolist(), strict=True))
        latents = comfy.sample.sample(
            lab.model, noise, STEPS, guidance, "euler", "simple", lab.text(case.prompt), lab.text(""), torch.zeros_like(noise),
            seed=0, disable_pbar=True,
        )  # fmt: skip
        made += [Clip(case, *each) for each in zip(lab.vae.decode(latents).clamp(0, 1), noise, told, strict=True)]
    return made


def timing(clip: Clip) -> float:
    """Mean of the shares of frames with a thing where the reference has it, and without one where it has none; 0.5 is chance."""
    found = measure(clip.video)
    present = torch.stack([thing.present for thing in found.things]).any(0) if found.things else torch.zeros(FRAMES, dtype=bool)
    first, last = HALVES[clip.case.half]
    wanted = torch.zeros(FRAMES, dtype=bool)
    wanted[first:last] = True
    return (float(present[wanted].float().mean()) + 1 - float(present[~wanted].float().mean())) / 2


def to_the_right(clip: Clip) -> float:
    """Pixels from the first to the last place, to the right."""
    path = centres(clip.video)[:, 0]
    known = path[path.isfinite()]
    return float(known[-1] - known[0]) if len(known) > 1 else float("nan")


def neighbours(noise: Tensor) -> float:
    """Correlation of the values [C, F, h, w] of neighbouring frames."""
    frames = noise.movedim(1, 0).flatten(1).double().numpy()
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(frames[1:], frames[:-1], strict=True)]))


def row(name: str, made: list[Clip], seconds: float, measured: list[str]) -> list[str]:
    """Cells of a setting."""
    verdicts = [judge(clip.case.asked, measure(clip.video)) for clip in made]
    right = [cell([float(getattr(v, part)) for v in verdicts], percent) for part in ("shape", "colour")]
    sizes = [f"{np.mean(values):.3f}" for values in zip(*(clip.found for clip in made), strict=True)]
    correlation = f"{np.mean([neighbours(clip.noise) for clip in made]):+.3f}"
    return [name, *measured, *right, *sizes, correlation, f"{seconds / len(made):.1f}"]


def subject(case: Case) -> str:
    """The thing, and when the reference has it."""
    thing = case.asked.things[0]
    return f"{thing.colours[0]} {thing.shape}, {case.half} in the reference"


def part(lab: Lab, what: str, settings: dict[str, tuple[list[Case], dict | None]], shown: list) -> list[list[str]]:
    """The rows of a table, a setting each: its cases and how their noise is nursed."""
    rows = []
    for name, (found, options) in settings.items():
        started = time.thread_time()
        made = clips(lab, found, options, GUIDANCE[what])
        seconds = time.thread_time() - started
        numbers = [cell(map(timing, made))] if what == "timing" else _motion(made)
        rows.append(row(name, made, seconds, numbers))
        print(rows[-1], flush=True)
        shown += [(f"{name}\n{subject(made[i].case)}", made[i].video) for i in (0, SEEDS)]
    return rows


def _motion(made: list[Clip]) -> list[str]:
    pixels = "{:.1f}".format
    return [cell(map(to_the_right, made), pixels), cell([displacement(centres(clip.video)) for clip in made], pixels)]


def run(lab: Lab) -> None:
    """Writes the page."""
    page, shown = Page("noise_nursing"), []
    known, still, right = cases(), silent("still"), silent("right")
    page.add("# Initial Noise Nursing on the demo model", INTRODUCTION)
    timed = {"plain noise": (known, None), "nursed": (known, {}), "nursed, no mean": (known, {"mean": False})}
    page.add(
        "## When the thing is there, guidance 1",
        "The thing of the reference is there in the first 13 or the last 13 of 33 frames.",
        table(
            ["setting", "timing as in the reference", "shape right", "colour right", *NOISE, "CPU s"],
            part(lab, "timing", timed, shown),
        ),
        sheet("noise_nursing", shown),
    )
    moving = {"plain noise": (right, None), "nursed, reference rests": (still, {}), "nursed, reference moves right": (right, {})}
    page.add(
        "## Whether it moves, guidance 3",
        "Prompts that say nothing about motion; the reference's thing moves 40 pixels to the right, or stays in the middle.",
        table(
            ["setting", "to the right, pixels", "way, pixels", "shape right", "colour right", *NOISE, "CPU s"],
            part(lab, "motion", moving, []),
        ),
    )
