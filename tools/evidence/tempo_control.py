"""TempoControl on the demo model: is the thing there when the schedule says so, and what does it cost?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

import torch
from torch import Tensor

from pack.py.core.intervention import Where
from pack.py.core.schedule import parse_schedule
from pack.py.core.timed_words import TimedWords
from pack.py.demo import world
from pack.py.demo.measure import measure
from pack.py.demo.verdict import judge
from pack.py.host.attach import attach
from pack.py.host.tokens_of_text import encode_text
from pack.py.techniques.tempo_control import TempoControl
from pack.py.techniques.word_maps import KINDS

from .lab import Lab, Page, cell, percent, sheet, table

PROMPTS, SEEDS = 12, 4
FRAMES = 33
GUIDANCE = 1.0  # with more, words matter less for when a thing is there: at the usual 3 it always is
HEADER = ["setting", "timing", "there where wanted", "where not wanted", "shape right", "its change", "colour right", "CPU s"]
HALVES = {"early": "0=1, 13=0", "late": "0=0, 17=1"}
PARTS = {
    "defaults": {},
    "no L_mag": {"mass_weight": 0.0},
    "no L_ent": {"entropy_weight": 0.0},
    "stops as in the paper": {"stop_ratio": None},
}
INTRODUCTION = (
    f"{PROMPTS} unseen prompts with one thing, {SEEDS} seeds each, the same noise for every setting. In half of the prompts the "
    "thing is wanted in the first 13 of 33 frames, in the others in the last 16. Timing: the mean of the share of wanted frames "
    "in which a thing is there and the share of unwanted frames in which none is; chance is 0.5, and frames at the edge count. "
    "Change of shape: share of clips with the right shape, minus that of the same clips without the node. Mean and 95 % "
    "bootstrap interval over clips. CPU s: of one core, a clip.\n\nGuidance 1: at the usual 3 the demo model shows its thing in "
    "nearly every frame whatever the latent is, so there is no timing to control. TempoControl acts on the positive prompt alone."
)


@dataclass(frozen=True)
class Case:
    """A prompt, what it asks for, and the half of the clip in which its thing is wanted."""

    asked: world.Clip
    prompt: str
    half: str
    seeds: tuple[int, ...]

    @property
    def phrase(self) -> str:
        """The thing in words."""
        thing = self.asked.things[0]
        return f"{thing.colours[0]} {thing.shape}"

    @property
    def wanted(self) -> Tensor:
        """[33] bool."""
        frame = torch.arange(FRAMES)
        return frame < 13 if self.half == "early" else frame >= 17


@dataclass(frozen=True)
class Seen:
    """One clip against its case."""

    timing: float
    active: float
    inactive: float
    shape: float
    colour: float


def cases(prompts: int = PROMPTS, seeds: int = SEEDS) -> list[Case]:
    """Unseen prompts with one thing, half of them early."""
    found = unseen(prompts, 1, seed=21)
    numbers = [tuple(range(seeds * i, seeds * (i + 1))) for i in range(prompts)]
    return [Case(clip, prompt, list(HALVES)[i % 2], numbers[i]) for i, (clip, prompt) in enumerate(found)]


def words_of(lab: Lab, prompt: str, schedule: str) -> TimedWords:
    """The phrases of a schedule in a prompt."""
    tempo = parse_schedule(schedule).tempo(fps=16.0, interpolation="hold")
    found = encode_text(lab.clip, prompt, tempo.phrases)
    compression = lab.model.model.latent_format.temporal_downscale_ratio
    return TimedWords(tempo, tuple(found.positions[phrase] for phrase in tempo.phrases), found.context, compression)


def controlled(lab: Lab, case: Case, settings: dict | None):
    """The MODEL of a case; without settings, the plain one."""
    if settings is None:
        return lab.model
    settings = dict(settings)
    blocks = settings.pop("blocks", None)
    words = words_of(lab, case.prompt, f"{case.phrase}: {HALVES[case.half]}")
    return attach(lab.model, TempoControl(words=words, where=Where(KINDS, blocks), **settings))


def sampled(lab: Lab, found: Sequence[Case], guidance: float, settings: dict | None) -> Iterator[tuple[Case, Tensor]]:
    """Each case with each of its clips."""
    for case in found:
        prompts = [case.prompt] * len(case.seeds) if settings is None else lab.text(case.prompt)
        yield from ((case, video) for video in lab.videos(controlled(lab, case, settings), prompts, case.seeds, guidance))


def scored(case: Case, video: Tensor) -> Seen:
    """Presence of anything, and shape and colour of the most present thing."""
    found = measure(video)
    present = torch.stack([thing.present for thing in found.things]).any(0) if found.things else torch.zeros(FRAMES, dtype=bool)
    active, inactive = (float(present[frames].float().mean()) for frames in (case.wanted, ~case.wanted))
    verdict = judge(case.asked, found)
    return Seen((active + 1 - inactive) / 2, active, inactive, float(verdict.shape), float(verdict.colour))


def row(name: str, seen: list[Seen], plain: list[Seen], seconds: float) -> list[str]:
    """Cells of one setting, compared with the same clips without the node."""
    change = [with_node.shape - without.shape for with_node, without in zip(seen, plain, strict=True)]
    shares = {part: cell([getattr(one, part) for one in seen], percent) for part in ("active", "inactive", "shape", "colour")}
    timing, colour = cell([one.timing for one in seen]), shares.pop("colour")
    return [name, timing, *shares.values(), cell(change), colour, f"{seconds:.1f}"]


def table_of(lab: Lab, found: Sequence[Case], settings: dict[str, dict], guidance: float, shown: list) -> str:
    """A table over settings, the first without the node; two clips of each go into `shown`."""
    rows, plain = [], []
    for name, options in {"no node": None, **settings}.items():
        started = time.thread_time()
        clips = list(sampled(lab, found, guidance, options))
        seconds = (time.thread_time() - started) / len(clips)
        seen = [scored(case, video) for case, video in clips]
        plain = plain or seen
        rows.append(row(name, seen, plain, seconds))
        print(rows[-1], flush=True)
        picked = (clips[0], clips[len(found[0].seeds)])
        shown += [(f"{name}\n{case.phrase}, wanted {case.half}", video) for case, video in picked]
    return table(HEADER, rows)


def run(lab: Lab) -> None:
    """Writes the page."""
    page, shown = Page("tempo_control"), []
    settings = {"defaults": {}, "blocks 4 and 5 only": {"blocks": frozenset({4, 5})}}
    page.add(
        "# TempoControl on the demo model",
        INTRODUCTION,
        f"## {PROMPTS * SEEDS} clips of one thing, guidance {GUIDANCE:g}",
        table_of(lab, cases(), settings, GUIDANCE, shown),
        sheet("tempo_control", shown),
    )
    page.add("## Each part left out, 24 clips", table_of(lab, cases(6), PARTS, GUIDANCE, []))
