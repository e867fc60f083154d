"""Entropy Guidance on the demo model: which scale helps, which rule, which block."""

from __future__ import annotations

from statistics import fmean

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

from pack.py.demo.measure import measure
from pack.py.demo.verdict import judge
from pack.py.host.attach import attach
from pack.py.techniques.entropy_guidance import RULES, EntropyGuidance

from .lab import Lab, Page, cell, percent, sheet, table
from .seen import centres, displacement

CLIPS = 32
MEASURES = ("present", "colour", "shape", "motion", "everything")
WEAK, USUAL = 1.5, 3.0  # guidance scales


SCALES = {f"A - I, {scale:g}": {"scale": scale} for scale in (0.25, 0.5, 1.0, 2.0, 4.0)}
BLOCKS_AND_RULES = {f"A - I, 1, block {block}": {"scale": 1.0, "block": block} for block in range(6)} | {
    f"{rule}, 0.5": {"rule": rule} for rule in list(RULES)[1:]
}


def scored(lab: Lab, model, guidance: float) -> tuple[list[str], list]:
    """Cells of one setting, and its clips."""
    asked = unseen(CLIPS, 1, seed=7)
    videos = lab.videos(model, [prompt for _, prompt in asked], range(CLIPS), guidance)
    seen = [measure(video) for video in videos]
    verdicts = [judge(clip, found) for (clip, _), found in zip(asked, seen, strict=True)]
    present = [fmean(found.things[0].present.tolist()) if found.things else 0.0 for found in seen]
    way = [displacement(centres(video)) for video in videos]
    shares = [cell([getattr(v, name) for v in verdicts], percent) for name in MEASURES]
    return [cell(present, percent), *shares, cell(way, "{:.1f}".format)], list(videos)


def run(lab: Lab) -> None:
    """Writes the page."""
    page = Page("entropy_guidance")
    page.add(
        "# Entropy Guidance on the demo model",
        f"{CLIPS} unseen prompts with one thing, the same noise for every setting. Mean and 95 % bootstrap interval. Presence is "
        "the share of frames in which the thing is there, way the distance in pixels from its first to its last place.",
    )
    header = ["setting", "presence", *MEASURES, "way"]
    for guidance in (WEAK, USUAL):
        plain, clips = scored(lab, lab.model, guidance)
        rows, shown = [["no node", *plain]], [("no node", clips[0]), ("no node", clips[1])]
        for name, options in (SCALES if guidance == USUAL else SCALES | BLOCKS_AND_RULES).items():
            cells, clips = scored(lab, attach(lab.model, EntropyGuidance(**options)), guidance)
            rows.append([name, *cells])
            if name in ("A - I, 0.5", "A - I, 1", "A - I, 4"):
                shown += [(name, clips[0]), (name, clips[1])]
        page.add(f"## Guidance scale {guidance:g}", table(header, rows), sheet(f"entropy_guidance_{guidance:g}", shown))
