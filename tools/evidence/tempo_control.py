"""TempoControl on the demo model: is the thing there when the schedule says so, and what does it cost?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.demo_quality import unseen  # noqa: F401  isort: skip  (before every comfy import)

import torch
from torch import Tensor

from pack.py.demo.measure import measure
from pack.py.demo.verdict import judge

from . import lab as usual
from . import tempo_phrases
from .lab import Lab, Report, cell, percent, sheet, table
from .seen import twice
from .tempo_cases import FRAMES, GUIDANCE, LATE, Case, cases, change, name_of, sampled, timed, timing, with_late_guidance

PROMPTS, FEW = 24, 6  # 4 seeds each
BY_FAR = 1e6  # AdamW does not see how large a loss is: with both other weights so large, the correlation counts for nothing
PAPER = {"the paper's L_mag (wanted_mass 1)": {"wanted_mass": 1.0}}
LEFT_OUT = {
    "all three losses": {},
    "no L_corr": {"mass_weight": 0.3 * BY_FAR, "entropy_weight": 10 * BY_FAR},
    "no L_mag": {"mass_weight": 0.0},
    "no L_ent": {"entropy_weight": 0.0},
}
HEADER = [
    "setting", "timing", "there where wanted", "where not wanted", "comes twice", "shape right", "its change", "colour right",
    "CPU s",
]  # fmt: skip
SHARES = ("active", "inactive", "twice", "shape", "colour")
INTRODUCTION = (
    "# TempoControl on the demo model\n\nUnseen prompts, 4 seeds each, the same noise with and without the node. In half of the "
    "prompts the thing is wanted in the first 13 of 33 frames, in the others in the last 16. Timing: the mean of the share of "
    "wanted frames in which it is there and the share of unwanted frames in which it is not; chance is 0.5, and frames at the "
    "border are counted. Changes are taken clip by clip against the same noise without the node. Mean and 95 % bootstrap "
    "interval over clips (Wilson's where all are right); seeds of one prompt are not independent, so for other prompts it is too "
    "narrow. CPU s: of one core, a clip of 20 steps.\n\nComes twice: of the wanted frames that show the thing, the "
    f"share with two or more coloured regions.\n\nGuidance {GUIDANCE:g} unless said: at the usual 3 the demo model shows its "
    "thing in nearly every frame, whatever the latent, so there is no timing to control. TempoControl acts on the positive "
    "prompt alone."
)


@dataclass(frozen=True)
class Seen:
    """One clip of one thing against its case."""

    timing: float
    active: float
    inactive: float
    twice: float
    shape: float
    colour: float


def scored(case: Case, video: Tensor) -> Seen:
    """Presence of anything, and shape and colour of the most present thing."""
    found = measure(video)
    present = torch.stack([thing.present for thing in found.things]).any(0) if found.things else torch.zeros(FRAMES, dtype=bool)
    verdict = judge(case.asked, found)
    doubled = twice(video)[case.wanted & present].float().mean()
    return Seen(*timing(present, case.wanted), float(doubled), float(verdict.shape), float(verdict.colour))


def row(name: str, seen: list[Seen], plain: list[Seen], seconds: float) -> list[str]:
    """Cells of one setting, compared with the same clips without the node."""
    shares = {part: cell([getattr(one, part) for one in seen], percent) for part in SHARES}
    colour, shape = shares.pop("colour"), change([one.shape for one in seen], [one.shape for one in plain])
    return [name, cell([one.timing for one in seen]), *shares.values(), shape, colour, f"{seconds:.1f}"]


def table_of(
    lab: Lab, found: Sequence[Case], settings: dict[str, dict], guidance: float = GUIDANCE
) -> tuple[str, dict[str, list[tuple[Case, Tensor]]]]:
    """A table over settings, the first without the node; and all clips by setting."""
    rows, plain, all_clips = [], [], {}
    for name, options in {"no node": None, **settings}.items():
        clips, seconds = sampled(lab, found, options, guidance)
        seen = [scored(case, video) for case, video in clips]
        plain, all_clips[name] = plain or seen, clips
        rows.append(row(name, seen, plain, seconds))
        print(rows[-1], flush=True)
    return table(HEADER, rows), all_clips


def one_thing(prompts: int, seed: int, first_seed: int = 0) -> list[Case]:
    """Cases with one thing, which is timed."""
    return cases(lambda clip, prompt, half: timed(clip.things[0], half), prompts, 1, seed, first_seed)


def no_guidance(lab: Lab) -> list[str]:
    """The defaults on clips on which nothing was tuned."""
    text, _ = table_of(lab, one_thing(PROMPTS, 21), {"defaults": {}, **PAPER})
    return [f"## One thing, guidance {GUIDANCE:g}, {4 * PROMPTS} clips", text]


def late_guidance(lab: Lab) -> list[str]:
    """The same clips, guided as soon as the timing is decided."""
    text, clips = table_of(with_late_guidance(lab), one_thing(PROMPTS, 21), {"defaults": {}}, usual.GUIDANCE)
    shown = []
    for index in range(0, 24, 4):  # the first seed of six prompts
        case = clips["no node"][index][0]
        label = f"{name_of(case.asked.things[0])}, wanted {case.half}"
        shown += [(f"{label}\n{name}", clips[name][index][1], case.wanted) for name in ("no node", "defaults")]
    title = f"## One thing, guidance {GUIDANCE:g} up to {100 * LATE:g} % and then {usual.GUIDANCE:g}, {4 * PROMPTS} clips"
    return [title, text, "The bar marks the frames in which the thing is wanted.", sheet("tempo_control", shown)]


def left_out(lab: Lab) -> list[str]:
    """Each loss left out in turn."""
    text, _ = table_of(lab, one_thing(FEW, 21), LEFT_OUT)
    return [f"## Each loss left out in turn, {4 * FEW} clips", text]


def cost(lab: Lab) -> list[str]:
    """Keeping attention, on the demo model."""
    text, _ = table_of(lab, one_thing(2, 21), {"defaults": {}, "keep_attention": {"keep_attention": True}})
    return ["## What it costs, 8 clips", text]


PARTS: dict[str, Callable[[Lab], list[str]]] = {
    "late_guidance": late_guidance,
    "no_guidance": no_guidance,
    "left_out": left_out,
    "two_things": tempo_phrases.two_things,
    "three_phrases": tempo_phrases.three_phrases,
    "movement": tempo_phrases.movement,
    "cost": cost,
}


def run(lab: Lab, part: str | None = None) -> None:
    """Writes the page, or one part of it again."""
    Report("tempo_control", INTRODUCTION, PARTS).run(lab, part)
