"""TempoControl's cases: a prompt, its schedule, when each thing is wanted, and what of that is seen in a clip."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

import torch
from torch import Tensor

from pack.py.core.intervention import Where
from pack.py.demo import world
from pack.py.host.attach import attach
from pack.py.host.tokens_of_text import encode_text
from pack.py.prompts.schedule import parse_schedule
from pack.py.prompts.timed_words import TimedWords
from pack.py.techniques.tempo_control import TempoControl
from pack.py.techniques.word_maps import KINDS

from .lab import Lab, cell

FRAMES = world.FRAMES
GUIDANCE = 1.0  # with more, words matter less for when a thing is there: at the usual 3 it always is
LATE = 0.25  # of the run: guidance that begins here leaves the timing alone
FRAME = torch.arange(FRAMES)
HALVES = {"early": "0=1, 13=0", "late": "0=0, 17=1"}
WANTED = {"early": FRAME < 13, "late": FRAME >= 17}  # [33] bool


@dataclass(frozen=True)
class Case:
    """A prompt, the text of its schedule, the half of the clip that it asks for, and the seeds to try it with."""

    asked: world.Clip
    prompt: str
    schedule: str
    half: str
    seeds: tuple[int, ...]

    @property
    def wanted(self) -> Tensor:
        """[33] bool: the frames in which the timed thing is wanted."""
        return WANTED[self.half]


def name_of(thing: world.Thing) -> str:
    """The thing in words."""
    return f"{thing.colours[0]} {thing.shape}"


def timed(thing: world.Thing, half: str) -> str:
    """The line of a schedule that wants this thing early or late."""
    return f"{name_of(thing)}: {HALVES[half]}"


def cases(schedule, prompts: int, things: int, seed: int, first_seed: int = 0, each: int = 4) -> list[Case]:
    """Unseen prompts, half of them early, `each` seeds a prompt; `schedule`(clip, prompt, half) is the text of a schedule."""
    found = []
    for i, (clip, prompt) in enumerate(unseen(prompts, things, seed)):
        half = list(HALVES)[i % 2]
        seeds = tuple(range(first_seed + each * i, first_seed + each * (i + 1)))
        found.append(Case(clip, prompt, schedule(clip, prompt, half), half, seeds))
    return found


def controlled(lab: Lab, case: Case, settings: dict | None):
    """The MODEL of a case; without settings, the plain one."""
    if settings is None:
        return lab.model
    settings = dict(settings)
    where = Where(KINDS, settings.pop("blocks", None))
    return attach(lab.model, TempoControl(words=_words(lab, case), where=where, **settings))


def _words(lab: Lab, case: Case) -> TimedWords:
    tempo = parse_schedule(case.schedule).tempo(fps=16.0, interpolation="hold")
    found = encode_text(lab.clip, case.prompt, tempo.phrases)
    compression = lab.model.model.latent_format.temporal_downscale_ratio
    return TimedWords(tempo, tuple(found.positions[phrase] for phrase in tempo.phrases), found.context, compression)


def sampled(
    lab: Lab, found: Sequence[Case], settings: dict | None, guidance: float = GUIDANCE
) -> tuple[list[tuple[Case, Tensor]], float]:
    """Each case with each of its clips, and the CPU seconds of one clip."""
    logging.getLogger("temporal_attention").setLevel(logging.WARNING)  # a line an iteration is too much here
    started, clips = time.thread_time(), []
    for case in found:
        videos = lab.videos(controlled(lab, case, settings), lab.text(case.prompt), case.seeds, guidance)
        clips += [(case, video) for video in videos]
    return clips, (time.thread_time() - started) / len(clips)


def with_late_guidance(lab: Lab) -> Lab:
    """A lab whose model is guided only after LATE of the run, as by two samplers of different cfg in a row.

    Before that, guidance would bring the thing into every frame. (Guidance in a limited interval: Kynkaanniemi et al., 2024.)
    """
    late = copy(lab)
    late.model = lab.model.clone()
    begins = lab.model.get_model_object("model_sampling").percent_to_sigma(LATE)

    def guided(host: dict) -> Tensor:
        scale = host["cond_scale"] if float(host["sigma"][0]) <= begins else 1.0
        return host["uncond"] + scale * (host["cond"] - host["uncond"])

    late.model.set_model_sampler_cfg_function(guided)
    return late


def timing(present: Tensor, wanted: Tensor) -> tuple[float, float, float]:
    """Of [33] bool: balanced timing, share of the wanted frames with it, share of the unwanted ones with it."""
    active, inactive = (float(present[frames].float().mean()) for frames in (wanted, ~wanted))
    return (active + 1 - inactive) / 2, active, inactive


def change(values: Sequence[float], plain: Sequence[float]) -> str:
    """Cell of the differences, clip by clip."""
    return cell([new - old for new, old in zip(values, plain, strict=True)], "{:+.2f}".format)
