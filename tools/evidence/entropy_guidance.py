"""Entropy Guidance on the demo model: which scale helps, which rule, which block."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import fmean

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

from torch import Tensor

from pack.py.demo.measure import measure
from pack.py.demo.verdict import judge
from pack.py.host.attach import attach
from pack.py.techniques.entropy_guidance import RULES, EntropyGuidance

from .lab import Lab, Report, cell, percent, sheet, table
from .seen import centres, displacement

MEASURES = ("background", "colour", "shape", "motion", "everything")
SCALES = {f"A - I, {scale:g}": {"scale": scale} for scale in (0.25, 0.5, 1.0, 2.0, 4.0)}
BLOCKS_AND_RULES = {f"A - I, 1, block {block}": {"scale": 1.0, "block": block} for block in range(6)} | {
    f"{rule}, 0.5": {"rule": rule} for rule in list(RULES)[1:]
}
SHOWN = ("A - I, 0.5", "A - I, 1", "A - I, 4")
HEADER = ["setting", "presence", *MEASURES, "way", "change of presence", "change of everything"]
INTRODUCTION = (
    "# Entropy Guidance on the demo model\n\nUnseen prompts with one thing, the same noise for every setting. Mean and 95 % "
    "bootstrap interval over clips (Wilson's where all are right); changes are taken clip by clip. Presence: share of frames "
    "in which the thing is there. Way: pixels from its first place to its last. Everything: background, colour, shape and "
    "motion right in the same clip. Guidance 3 is usual for this model."
)


def measures(clip, video: Tensor) -> dict[str, float]:
    """What is right in one clip."""
    seen = measure(video)
    verdict = judge(clip, seen)
    right = {name: float(getattr(verdict, name)) for name in MEASURES}
    return {
        "presence": fmean(seen.things[0].present.tolist()) if seen.things else 0.0,
        **right,
        "way": displacement(centres(video)),
    }


def row(name: str, seen: Sequence[dict[str, float]], plain: Sequence[dict[str, float]]) -> list[str]:
    """Cells of one setting, compared with the same clips without the node."""
    cells = [cell([one[key] for one in seen], "{:.1f}".format if key == "way" else percent) for key in seen[0]]
    changes = [
        cell([one[key] - other[key] for one, other in zip(seen, plain, strict=True)], "{:+.2f}".format)
        for key in ("presence", "everything")
    ]
    return [name, *cells, *changes]


def swept(lab: Lab, guidance: float, clips: int, settings: dict[str, dict]) -> list[str]:
    """A table over settings at this guidance scale, and two clips of some."""
    asked, rows, shown, plain = unseen(clips, 1, seed=7), [], [], []
    for name, options in {"no node": None, **settings}.items():
        model = lab.model if options is None else attach(lab.model, EntropyGuidance(**options))
        videos = lab.videos(model, [prompt for _, prompt in asked], range(clips), guidance)
        seen = [measures(clip, video) for (clip, _), video in zip(asked, videos, strict=True)]
        plain = plain or seen
        rows.append(row(name, seen, plain))
        print(rows[-1], flush=True)
        if options is None or name in SHOWN:
            shown += [(f"{name}\n{prompt}", video) for (_, prompt), video in zip(asked[:2], videos, strict=False)]
    return [f"## Guidance {guidance:g}, {clips} clips", table(HEADER, rows), sheet(f"entropy_guidance_{guidance:g}", shown)]


PARTS = {
    "weak": partial(swept, guidance=1.5, clips=32, settings=SCALES | BLOCKS_AND_RULES),
    "usual": partial(swept, guidance=3.0, clips=48, settings=SCALES),
}


def run(lab: Lab, part: str | None = None) -> None:
    """Writes the page, or one part of it again."""
    Report("entropy_guidance", INTRODUCTION, PARTS).run(lab, part)
