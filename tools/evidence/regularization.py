"""TAR on the demo model: does it raise the way of things from first frame to last, against the same noise, without jumps?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

import numpy as np
from torch import Tensor

from pack.py.demo.measure import measure
from pack.py.demo.verdict import judge, moves
from pack.py.demo.world import Clip
from pack.py.host.attach import attach
from pack.py.techniques.tar import TemporalAttentionRegularization as TAR

from .lab import Lab, Report, cell, percent, sheet, table
from .seen import centres, displacement, largest_jump, path_length

CLIPS, MOVING_CLIPS, FIRST_SEED = 192, 48, 100
JUMP = 8.0  # pixels between two frames: the radius of the smallest thing; moving things go 1.0 to 1.4
VERB = re.compile(r" (is still|stays still|grows|shrinks|(moves|moving) (to the )?(left|right|up|down))")
SETTINGS = {  # of the row's maximum; the node's strength multiplies that of its preset
    "0.1, sigma 0.25 of the frames (the node's strength 1)": TAR(strength=0.1, sigma=0.25),
    "0.1, sigma 0.5": TAR(strength=0.1, sigma=0.5),
    "0.2, sigma 0.5": TAR(strength=0.2, sigma=0.5),
    "the paper: 1, sigma 1 latent frame": TAR(strength=1.0, sigma=1.0, sigma_unit="latent frames"),
}
PIXELS, FINE = "{:.1f}".format, "{:.2f}".format
UNITS = {
    "way": PIXELS,
    "length": PIXELS,
    "largest": PIXELS,
    "jumps": percent,
    "change": FINE,
    "shape": percent,
    "motion": percent,
}
FARTHER = (0.0, 8.0, 16.0)  # pixels of way, from which a clip belongs to a group
COLUMNS = ["first to last place", "length of path", "largest step", "clips that jump", "change, %", "shape", "motion"]
INTRODUCTION = (
    "# Temporal Attention Regularization on the demo model\n\n"
    "Unseen prompts with one thing, guidance 3, the same noise for every setting. Ways in pixels of a "
    f"picture of 64. A clip jumps if its thing moves more than {JUMP:g} pixels, the radius of the smallest, between two frames; "
    "things that move go 1.0 to 1.4. Change: mean absolute change of the picture between frames. Mean and 95 % bootstrap "
    "interval over clips; differences are taken clip by clip."
)


@dataclass(frozen=True)
class Measures:
    """One clip: ways in pixels, whether it jumps, mean change between frames in percent, and what of the prompt is right."""

    way: float
    length: float
    largest: float
    jumps: float
    change: float
    shape: float
    motion: float


def free(count: int, seed: int) -> list[tuple[Clip, str]]:
    """Unseen prompts whose word of motion is left out."""
    return [(clip, VERB.sub("", prompt)) for clip, prompt in unseen(count, 1, seed)]


def moving(count: int, seed: int) -> list[tuple[Clip, str]]:
    """Unseen prompts of things that move to a side."""
    return [(clip, prompt) for clip, prompt in unseen(3 * count, 1, seed) if moves(clip.things[0].motion)][:count]


def sampled(lab: Lab, tar: TAR | None, asked: list[tuple[Clip, str]], first_seed: int) -> tuple[list[Measures], Tensor]:
    """What is seen in the clips of these prompts, and the clips."""
    model, seeds = attach(lab.model, *([tar] if tar else [])), range(first_seed, first_seed + len(asked))
    videos = lab.videos(model, [prompt for _, prompt in asked], seeds)
    return [measured(clip, video) for (clip, _), video in zip(asked, videos, strict=True)], videos


def measured(clip: Clip, video: Tensor) -> Measures:
    """One clip against its prompt."""
    path, verdict = centres(video), judge(clip, measure(video))
    change = float((video[1:] - video[:-1]).abs().mean()) * 100
    largest, found = largest_jump(path), (float(verdict.shape), float(verdict.motion))
    return Measures(displacement(path), path_length(path), largest, float(largest > JUMP), change, *found)


def row(name: str, seen: list[Measures], plain: list[Measures] | None) -> list[str]:
    """Cells of one setting; with `plain`, of the differences from the same prompts and noise without the node."""
    cells = [name]
    for key, unit in UNITS.items():
        values = np.array([getattr(one, key) for one in seen])
        if plain:
            values = values - [getattr(one, key) for one in plain]
        cells.append(cell(values, unit))
    return cells


def by_way(seen: dict[str, list[Measures]]) -> str:
    """How many clips jump of those that go as far; and how much farther those go that jump neither with the node nor without."""
    ends = [*FARTHER[1:], np.inf]
    plain, rows = next(iter(seen.values())), []
    for name, clips in seen.items():
        groups = [[one.jumps for one in clips if low <= one.way < high] for low, high in zip(FARTHER, ends, strict=True)]
        calm = [one.way - other.way for one, other in zip(clips, plain, strict=True) if not one.jumps and not other.jumps]
        shares = [f"{sum(group):.0f} of {len(group)}" for group in groups]
        rows.append([name, *shares, f"{cell(calm, PIXELS)}, of {len(calm)} clips"])
    names = [f"jump, way {low:g} to {high:g}" for low, high in zip(FARTHER, ends, strict=True)]
    names[-1] = f"jump, way {FARTHER[-1]:g} or more"
    return table(["", *names, "way minus no node where neither jumps"], rows)


def compared(lab: Lab, title: str, asked: list[tuple[Clip, str]], settings: dict[str, TAR], name: str) -> list[str]:
    """What is seen without the node, the differences of every setting from that, and clips."""
    plain, videos = sampled(lab, None, asked, FIRST_SEED)
    rows, all_seen = [], {"no node": plain}
    shown = [(f"no node\n{prompt}", video) for (_, prompt), video in zip(asked[:3], videos, strict=False)]
    for setting, tar in settings.items():
        seen, videos = sampled(lab, tar, asked, FIRST_SEED)
        rows.append(row(setting, seen, plain))
        all_seen[setting] = seen
        print(rows[-1], flush=True)
        shown += [(f"TAR {setting}", video) for video in videos[:3]]
    alone = table(["", *COLUMNS], [row("no node", plain, None)])
    differences = table(["minus no node", *COLUMNS], rows)
    return [f"## {title}, {len(asked)} clips", alone, differences, by_way(all_seen), sheet(name, shown)]


def run(lab: Lab, part: str | None = None) -> None:
    """Writes the page, or one part of it again."""
    wide = {name: tar for name, tar in SETTINGS.items() if name.startswith("0.1, sigma 0.25") or name == "0.2, sigma 0.5"}
    unsaid, said = "Prompts that say nothing about motion", "Prompts of things that move"
    parts = {
        "free": partial(compared, title=unsaid, asked=free(CLIPS, 31), settings=SETTINGS, name="regularization_free"),
        "moving": partial(compared, title=said, asked=moving(MOVING_CLIPS, 32), settings=wide, name="regularization_moving"),
    }
    Report("regularization", INTRODUCTION, parts).run(lab, part)
