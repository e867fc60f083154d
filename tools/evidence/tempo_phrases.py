"""TempoControl with more than one noun: two things of which one is timed, three phrases, and a word of motion."""

from __future__ import annotations

from collections.abc import Sequence

from tools.demo_quality import unseen  # noqa: F401  isort: skip  (before every comfy import)

import numpy as np
import torch
from torch import Tensor

from pack.py.demo import captions, world
from pack.py.demo.measure import SPEED, measure

from .lab import Lab, cell, percent, sheet, table
from .seen import centres, colours_by_frame
from .tempo_cases import WANTED, Case, cases, change, name_of, sampled, timed, timing

PROMPTS = 6  # 4 seeds each: 24 pairs
SEVERAL, MOTION = 1e-3, {"lr": 1e-3, "stop_correlation": 0.85}  # the paper's settings for several phrases and for motion
SIDES = ("left", "right", "up", "down")
OTHER = {"early": "late", "late": "early"}


def table_of(lab: Lab, settings: dict, measures: dict, header: Sequence[str], shown: tuple[str, str]) -> tuple[str, list]:
    """Rows of a setting each: the measures' cells, and the changes of those that have a True; and clips for a sheet.

    `settings`: name -> (cases, options of TempoControl or None); the first is the plain run. `measures`: name -> (function of a
    case and its video, how to write it, whether its change counts).
    """
    rows, plain, pictures = [], {}, {}
    for name, (found, options) in settings.items():
        clips, seconds = sampled(lab, found, options)
        values = {key: [measured(case, video) for case, video in clips] for key, (measured, *_) in measures.items()}
        plain = plain or values
        cells = [cell(values[key], unit) for key, (_, unit, _) in measures.items()]
        changes = [change(values[key], plain[key]) for key, (*_, counts) in measures.items() if counts]
        rows.append([name, *cells, *changes, f"{seconds:.1f}"])
        print(rows[-1], flush=True)
        pictures[name] = clips
    sheet_rows = [
        (f"{name}\n{'; '.join(case.schedule.splitlines())}", video, case.wanted)
        for index in (0, 4, 8, 12)
        for name in shown
        for case, video in [pictures[name][index]]
    ]
    return table(["setting", *header, "CPU s"], rows), sheet_rows


def timed_thing(clip: world.Clip) -> world.Thing:
    """Of two things the one that is named first."""
    return clip.things[0]


def presence(colour: str, video: Tensor) -> Tensor:
    """[33] bool."""
    return colours_by_frame(video, (colour,))[colour]


def timing_of(index: int, half: str | None = None):
    """Measure: timing of a thing, by its colour; `half` "other" means the half in which the first is not wanted."""

    def measured(case: Case, video: Tensor) -> float:
        wanted = WANTED[OTHER[case.half]] if half == "other" else case.wanted
        return timing(presence(case.asked.things[index].colours[0], video), wanted)[0]

    return measured


def present_share(case: Case, video: Tensor) -> float:
    """Share of the frames in which the second thing is there, by its colour."""
    return float(presence(case.asked.things[1].colours[0], video).float().mean())


def ever_there(case: Case, video: Tensor) -> float:
    """Whether the second thing is there in at least half of the frames."""
    return float(present_share(case, video) >= 0.5)


def background(case: Case, video: Tensor) -> float:
    """Whether the background is the prompt's."""
    return float(measure(video).background == case.asked.backgrounds[0])


def two_things(lab: Lab) -> list[str]:
    """One timed, the other to stay."""
    plain = cases(lambda clip, prompt, half: timed(clip.things[0], half), PROMPTS, 2, 41)
    both = cases(lambda clip, prompt, half: f"{timed(clip.things[0], half)}\n{name_of(clip.things[1])}", PROMPTS, 2, 41)
    measures = {
        "timing": (timing_of(0), "{:.2f}".format, False),
        "stays": (present_share, percent, True),
        "half": (ever_there, percent, False),
    }
    header = ["timing of the timed one", "frames with the other", "clips with it in half or more", "change of frames with it"]
    settings = {
        "no node": (plain, None),
        "the timed one alone": (plain, {}),
        "the other wanted throughout": (both, {"lr": SEVERAL}),
    }
    text, shown = table_of(lab, settings, measures, header, ("no node", "the other wanted throughout"))
    return [
        f"## Two things, one timed, {4 * PROMPTS} clips",
        "Each thing is known by its colour: with two things the demo model often gives a shape or a motion to the wrong one, so "
        "shapes are not scored.",
        text,
        sheet("tempo_two_things", shown),
    ]


def three_phrases(lab: Lab) -> list[str]:
    """One thing early, the other late, the background throughout."""

    def schedule(clip: world.Clip, prompt: str, half: str) -> str:
        first, second = clip.things
        return f"{timed(first, half)}\n{timed(second, OTHER[half])}\n{clip.backgrounds[0]}"

    found = cases(schedule, PROMPTS, 2, 43)
    measures = {
        "first": (timing_of(0), "{:.2f}".format, True),
        "second": (timing_of(1, "other"), "{:.2f}".format, True),
        "background": (background, percent, False),
    }
    header = ["timing of one thing", "of the other", "background right", "change of the one", "of the other"]
    settings = {"no node": (found, None), "three phrases": (found, {"lr": SEVERAL})}
    text, shown = table_of(lab, settings, measures, header, ("no node", "three phrases"))
    said = (
        "One thing is wanted in one half, the other in the other half, the background's word throughout. The bar marks the "
        "first thing's half."
    )
    return [f"## Three phrases, {4 * PROMPTS} clips", said, text, sheet("tempo_three_phrases", shown)]


def speeds(video: Tensor) -> np.ndarray:
    """Pixels a frame [32] of what is there, over four frames' way; NaN where nothing is."""
    path = centres(video).numpy()
    steps = np.full((len(path) - 1, 2), np.nan)
    for frame in range(len(steps)):
        part = path[max(0, frame - 1) : frame + 4]
        steps[frame] = (part[-1] - part[0]) / (len(part) - 1)
    return np.linalg.norm(steps, axis=-1)


def motion_timing(case: Case, video: Tensor) -> float:
    """Balanced: moving in wanted frames, resting in the others, of frames with a thing; NaN where either has none."""
    speed, wanted = speeds(video), case.wanted[1:].numpy()
    known = np.isfinite(speed)
    if not (known & wanted).any() or not (known & ~wanted).any():
        return float("nan")
    moving = speed > SPEED
    return float((moving[known & wanted].mean() + 1 - moving[known & ~wanted].mean()) / 2)


def onset(case: Case, video: Tensor) -> float:
    """The first frame from which it moves; NaN where it never does."""
    moving = np.flatnonzero(speeds(video) > SPEED)
    return float(moving[0]) if len(moving) else float("nan")


def there(case: Case, video: Tensor) -> float:
    """Share of the frames with anything."""
    return float(torch.isfinite(centres(video)).all(-1).float().mean())


def verb(clip: world.Clip, prompt: str) -> str:
    """The prompt's own words for the motion."""
    return next(words for words in captions.VERBS[clip.things[0].motion] if words in prompt)


def movement(lab: Lab) -> list[str]:
    """A word of motion that is wanted late."""

    def moving(schedule):
        return [case for case in cases(schedule, 4 * PROMPTS, 1, 44) if case.asked.things[0].motion in SIDES][:PROMPTS]

    late = moving(lambda clip, prompt, half: f"{verb(clip, prompt)}: 0=0, 17=1")
    held = moving(lambda clip, prompt, half: f"{verb(clip, prompt)}: 0=0, 17=1\n{name_of(clip.things[0])}")
    late, held = ([Case(c.asked, c.prompt, c.schedule, "late", c.seeds) for c in found] for found in (late, held))
    measures = {
        "timing": (motion_timing, "{:.2f}".format, True),
        "onset": (onset, "{:.1f}".format, False),
        "there": (there, percent, False),
    }
    header = ["timing of motion", "first frame that moves", "frames with the thing", "change of timing"]
    settings = {"no node": (late, None), "the word of motion": (late, MOTION), "and the thing throughout": (held, MOTION)}
    text, shown = table_of(lab, settings, measures, header, ("no node", "and the thing throughout"))
    said = (
        "The prompt's word of motion is wanted from frame 17 on. Timing of motion: mean of the share of wanted frames in which "
        f"the thing moves (more than {SPEED:g} pixels per frame) and of the unwanted frames in which it stays still, counting "
        "only frames with it."
    )
    return [f"## A word of motion, {4 * PROMPTS} clips", said, text, sheet("tempo_movement", shown)]
