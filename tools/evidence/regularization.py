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

from .lab import FRAMES, Lab, Report, cell, percent, sheet, table
from .seen import DRIFT, centres, displacement, largest_jump, path_length, shared_paths

CLIPS, LONG_CLIPS, MOVING_CLIPS = 192, 288, 48
FIRST_SEED, FIRST_LONG_SEED = 100, 20_000  # of the noise
LONG, LONGER = 11, 13  # latent frames: 41 and 49 frames, a quarter and a half more than the longest clip of the training
JUMP = 8.0  # pixels between two frames: the radius of the smallest thing; moving things go 1.0 to 1.4
VERB = re.compile(r" (is still|stays still|grows|shrinks|(moves|moving) (to the )?(left|right|up|down))")
DEFAULT = "0.1, sigma 0.5 of the frames (the node's strength 1)"
NARROW, PAPER = "0.1, sigma 0.25", "the paper: 1, sigma 1 latent frame"
SETTINGS = {  # of the row's maximum; the node's strength multiplies that of its preset
    DEFAULT: TAR(strength=0.1, sigma=0.5),
    "0.2, sigma 0.5": TAR(strength=0.2, sigma=0.5),
    NARROW: TAR(strength=0.1, sigma=0.25),
    PAPER: TAR(strength=1.0, sigma=1.0, sigma_unit="latent frames"),
}
PIXELS, FINE = "{:.1f}".format, "{:.2f}".format
UNITS = {
    "way": PIXELS,
    "length": PIXELS,
    "largest": PIXELS,
    "jumps": percent,
    "presence": percent,
    "change": FINE,
    "shape": percent,
    "motion": percent,
}
FARTHER = (0.0, 8.0, 16.0)  # pixels of way, from which a clip belongs to a group
COLUMNS = ["first to last place", "length of path", "largest step", "clips that jump", "presence", "change, %", "shape", "motion"]
SHARED = [f"{name}, frames that both show" for name in ("first to last place", "largest step", "clips that jump")]
INTRODUCTION = (
    "# Temporal Attention Regularization on the demo model\n\n"
    "Unseen prompts with one thing, guidance 3, the same noise for every setting. Ways in pixels of a picture of 64. A "
    f"clip jumps if its thing moves more than {JUMP:g} pixels, the radius of the smallest, between two frames, or comes back "
    f"elsewhere after frames without it ({DRIFT:g} pixels for each of these are granted: as fast as things move). Presence: "
    "frames with a thing. Change: mean absolute change of the picture between frames. Mean and 95 % bootstrap interval over "
    "clips; differences are taken clip by clip, and once more over those frames alone that show a thing both with the node and "
    "without: a thing that is there for longer has more time to go somewhere, and more frames to jump in."
)


@dataclass(frozen=True)
class Measures:
    """One clip: where its thing is, ways in pixels, whether it jumps, how much is seen and changes, what is as asked."""

    path: Tensor
    way: float
    length: float
    largest: float
    jumps: float
    presence: float
    change: float
    shape: float
    motion: float


def free(count: int, seed: int) -> list[tuple[Clip, str]]:
    """Unseen prompts whose word of motion is left out."""
    return [(clip, VERB.sub("", prompt)) for clip, prompt in unseen(count, 1, seed)]


def moving(count: int, seed: int) -> list[tuple[Clip, str]]:
    """Unseen prompts of things that move to a side."""
    return [(clip, prompt) for clip, prompt in unseen(3 * count, 1, seed) if moves(clip.things[0].motion)][:count]


def sampled(
    lab: Lab, tar: TAR | None, asked: list[tuple[Clip, str]], first_seed: int, frames: int
) -> tuple[list[Measures], Tensor]:
    """What is seen in the clips of these prompts, and the clips."""
    model, seeds = attach(lab.model, *([tar] if tar else [])), range(first_seed, first_seed + len(asked))
    videos = lab.videos(model, [prompt for _, prompt in asked], seeds, frames=frames)
    return [measured(clip, video) for (clip, _), video in zip(asked, videos, strict=True)], videos


def measured(clip: Clip, video: Tensor) -> Measures:
    """One clip against its prompt."""
    path, verdict = centres(video), judge(clip, measure(video))
    presence = float(path.isfinite().all(-1).float().mean())
    change = float((video[1:] - video[:-1]).abs().mean()) * 100
    way, largest, jumps = moved(path)
    found = jumps, presence, change, float(verdict.shape), float(verdict.motion)
    return Measures(path, way, path_length(path), largest, *found)


def moved(path: Tensor) -> tuple[float, float, float]:
    """Way and largest step in pixels, and whether that is a jump; NaN for fewer than two frames with a thing."""
    largest = largest_jump(path)
    return displacement(path), largest, float(largest > JUMP) if np.isfinite(largest) else np.nan


def row(name: str, seen: list[Measures]) -> list[str]:
    """Cells of one setting."""
    return [name, *(cell([getattr(one, key) for one in seen], unit) for key, unit in UNITS.items())]


def differences(name: str, seen: list[Measures], plain: list[Measures]) -> list[str]:
    """Cells of how one setting differs from the same prompts and noise without the node; last, over the frames that both show."""
    cells, shared = [name], []
    for key, unit in UNITS.items():
        cells.append(cell([getattr(one, key) - getattr(other, key) for one, other in zip(seen, plain, strict=True)], unit))
    for one, other in zip(seen, plain, strict=True):
        shared.append(np.subtract(*(moved(path) for path in shared_paths(one.path, other.path))))
    return cells + [cell(values, unit) for values, unit in zip(np.transpose(shared), (PIXELS, PIXELS, percent), strict=True)]


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


def compared(
    lab: Lab,
    title: str,
    asked: list[tuple[Clip, str]],
    settings: dict[str, TAR],
    name: str,
    first_seed: int = FIRST_SEED,
    frames: int = FRAMES,
) -> list[str]:
    """What is seen without the node, the differences of every setting from that, and clips."""
    plain, videos = sampled(lab, None, asked, first_seed, frames)
    rows, all_seen = [], {"no node": plain}
    shown = [(f"no node\n{prompt}", video) for (_, prompt), video in zip(asked[:3], videos, strict=False)]
    for setting, tar in settings.items():
        seen, videos = sampled(lab, tar, asked, first_seed, frames)
        rows.append(differences(setting, seen, plain))
        all_seen[setting] = seen
        print(rows[-1], flush=True)
        shown += [(f"TAR {setting}", video) for video in videos[:3]]
    said = f"## {title}, {len(asked)} clips of {4 * frames - 3} frames"
    alone = table(["", *COLUMNS], [row("no node", plain)])
    return [said, alone, table(["minus no node", *COLUMNS, *SHARED], rows), by_way(all_seen), sheet(name, shown)]


def run(lab: Lab, part: str | None = None) -> None:
    """Writes the page, or one part of it again."""
    ours = {name: SETTINGS[name] for name in (DEFAULT, NARROW)}
    unsaid, said = (
        partial(compared, title="Prompts that say nothing about motion"),
        partial(compared, title="Prompts of things that move"),
    )
    many = {"asked": moving(LONG_CLIPS, 34), "first_seed": FIRST_LONG_SEED}
    parts = {
        "long": partial(said, **many, settings=ours | {PAPER: SETTINGS[PAPER]}, name="regularization_long", frames=LONG),
        "longer": partial(said, **many, settings=ours, name="regularization_longer", frames=LONGER),
        "moving": partial(said, asked=moving(MOVING_CLIPS, 32), settings=ours, name="regularization_moving"),
        "free": partial(unsaid, asked=free(CLIPS, 31), settings=SETTINGS, name="regularization_free"),
    }
    Report("regularization", INTRODUCTION, parts).run(lab, part)
