"""Entropy Edit on the demo model: does a change of colour keep the way of the thing?"""

from __future__ import annotations

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

import torch

from pack.py.demo import world
from pack.py.demo.measure import measure
from pack.py.host.attach import attach
from pack.py.host.edit_guider import EditGuider
from pack.py.techniques.entropy_edit import EntropyEdit

from .lab import GUIDANCE, Lab, Page, cell, percent, sheet, table
from .seen import centres

CLIPS = 32
SHARES = (0.25, 0.5, 0.65, 1.0)


def pairs() -> list[tuple[str, str, str]]:
    """(source prompt, target prompt, target colour): unseen captions with another colour."""
    colours = list(world.COLOURS)
    found = []
    for clip, prompt in unseen(CLIPS, 1, seed=11):
        own = clip.things[0].colours[0]
        other = colours[(colours.index(own) + 1) % len(colours)]
        found.append((prompt, prompt.replace(own, other), other))
    return found


def edited(lab: Lab, source: str, target: str, seed: int, share: float) -> torch.Tensor:
    """The target's clip [33, 64, 64, 3]."""
    technique = EntropyEdit(share=share)
    guider = EditGuider(attach(lab.model, technique), technique if technique.acts() else None, None)
    guider.set_prompts(lab.text(source), lab.text(target), lab.text(""), GUIDANCE)
    return lab.guided_videos(guider, [seed])[0]


def scored(sources: torch.Tensor, targets: torch.Tensor, colours: list[str]) -> list[str]:
    """Cells: distance between the ways, right colour, presence of it."""
    ways = zip(map(centres, sources), map(centres, targets), strict=True)
    errors = [float((a - b).norm(dim=-1).nanmean()) for a, b in ways]
    seen = [measure(video).of(colour) for video, colour in zip(targets, colours, strict=True)]
    right = [float(found is not None and found.present.float().mean() > 0.5) for found in seen]
    presence = [float(found.present.float().mean()) if found else 0.0 for found in seen]
    return [cell(errors, "{:.1f}".format), cell(right, percent), cell(presence, percent)]


def run(lab: Lab) -> None:
    """Writes the page."""
    page, found = Page("entropy_edit"), pairs()
    colours, seeds = [colour for *_, colour in found], range(CLIPS)
    sources = lab.videos(lab.model, [source for source, *_ in found], seeds)
    alone = lab.videos(lab.model, [target for _, target, _ in found], seeds)
    rows = [["the target's prompt with the same seed", *scored(sources, alone, colours)]]
    shown = [(f"source: {found[i][0]}", sources[i]) for i in range(2)] + [
        ("the target's prompt, same seed", alone[i]) for i in range(2)
    ]
    for share in SHARES:
        targets = torch.stack([edited(lab, s, t, seed, share) for seed, (s, t, _) in zip(seeds, found, strict=True)])
        rows.append([f"Entropy Edit, share {share:g}", *scored(sources, targets, colours)])
        shown += [(f"Entropy Edit, share {share:g}", targets[i]) for i in range(2)]
    page.add(
        "# Entropy Edit on the demo model",
        f"{CLIPS} unseen prompts with one thing; the target's prompt has another colour. Distance: mean distance in pixels "
        "between the centres of the thing in source and target, frame by frame. Mean and 95 % bootstrap interval.",
        table(["setting", "distance", "colour right", "presence in that colour"], rows),
        sheet("entropy_edit", shown),
    )
