"""VSP, alone and with TAR, on the demo model: does the thing change colour when the synopsis says?"""

from __future__ import annotations

from tools.demo_quality import unseen  # noqa: F401  isort: skip  (before every comfy import)

import numpy as np
from torch import Tensor

from pack.py.core.frame_text import KeyMark
from pack.py.host.attach import attach
from pack.py.host.key_texts import KEY
from pack.py.prompts.key_places import Placement
from pack.py.prompts.key_prompts import KeyPrompt
from pack.py.techniques.tar import TemporalAttentionRegularization as TAR
from pack.py.techniques.vsp import VideoSynopsisPrompting

from .lab import GUIDANCE, Lab, Page, cell, percent, sheet, table
from .seen import centres, colours_by_frame, largest_jump

SEEDS = range(8)  # for each of the synopses
SYNOPSES = [
    (f"a {first} {shape} moves {way} on {background}", f"a {second} {shape} moves {way} on {background}", (first, second))
    for first, second, shape, way, background in (
        ("red", "blue", "circle", "right", "black"),
        ("green", "yellow", "square", "left", "gray"),
        ("blue", "red", "triangle", "up", "white"),
        ("yellow", "green", "circle", "down", "black"),
    )
]
PAPER = TAR(strength=1.0, sigma=1.0, sigma_unit="latent frames")


def key_prompts(lab: Lab, *texts: str) -> list:
    """Conditioning of evenly spread key prompts."""
    placement = Placement(tuple(map(KeyPrompt, texts)), 4, 16.0)
    return [[lab.text(text)[0][0], {KEY: KeyMark(placement, i, len(texts))}] for i, text in enumerate(texts)]


def synopsis(lab: Lab, *interventions) -> tuple[np.ndarray, list[Tensor]]:
    """What is seen with one setting [clips, 5], and one clip of each synopsis."""
    model, rows, shown = attach(lab.model, *interventions), [], []
    for first, second, colours in SYNOPSES:
        videos = lab.videos(model, key_prompts(lab, first, second), list(SEEDS))
        rows += [_followed(video, colours) for video in videos]
        shown.append(videos[0])
    return np.array(rows), shown


def _followed(video: Tensor, colours: tuple[str, str]) -> tuple[float, ...]:
    """Right colour alone in the first and last third, in both, presence of either, largest jump of what is there."""
    one, other = colours_by_frame(video, colours).values()
    third = len(video) // 3
    first, last = (float(end.float().mean()) for end in ((one & ~other)[:third], (other & ~one)[-third:]))
    presence = float((one | other).float().mean())
    return first, last, float(first > 0.5 and last > 0.5), presence, largest_jump(centres(video))


def cells(seen: np.ndarray) -> list[str]:
    """The columns of one setting, or of differences."""
    return [cell(column, unit) for column, unit in zip(seen.T, UNITS, strict=True)]


def vsp(transition: float) -> VideoSynopsisPrompting:
    """VSP with this transition."""
    return VideoSynopsisPrompting(transition=transition)


DEFAULT = "VSP, transition 0.25 (default)"
FOLLOWED = {
    "VSP, transition 0": [vsp(0.0)],
    DEFAULT: [vsp(0.25)],
    "VSP, transition 1 (the paper)": [vsp(1.0)],
    "VSP, transition 1, slerp": [VideoSynopsisPrompting(transition=1.0, interpolation="slerp")],
    "VSP 0.25 + TAR, strength 1 (default)": [vsp(0.25), TAR(strength=0.1, sigma=0.5)],
    "VSP 0.25 + TAR, strength 3": [vsp(0.25), TAR(strength=0.3, sigma=0.5)],
    "VSP 1 + TAR, strength 1": [vsp(1.0), TAR(strength=0.1, sigma=0.5)],
    "VSP 0.25 + TAR as in the paper (D1)": [vsp(0.25), PAPER],
}
UNITS = (percent, percent, percent, percent, "{:.1f}".format)
COLUMNS = ["setting", "right colour, first third", "right colour, last third", "both ends", "presence", "largest jump"]


def run(lab: Lab) -> None:
    """Writes the page."""
    page = Page("synopsis")
    page.add(
        "# Synopsis on the demo model",
        f"{len(SYNOPSES)} synopses of two key prompts that differ in one colour, {len(SEEDS)} seeds each, guidance {GUIDANCE:g}. "
        "Right colour: share of the frames of the first and last third in which this colour alone is there. Both ends: clips in "
        "which that holds for more than half of each. Mean and 95 % bootstrap interval over clips of these synopses; differences "
        "are taken clip by clip; jumps in pixels between two frames with a thing. TAR at strength 1 adds 0.1 of the row maximum "
        "with a sigma of half the frames; as in the paper, the whole row maximum with a sigma of one latent frame.",
        *compared(lab),
        "Temporal Attention Regularization alone: [regularization.md](regularization.md).",
    )


def compared(lab: Lab) -> tuple[str, str, str]:
    """Table over the settings, differences of the same noise, and contact sheet."""
    seen, shown = {}, []
    for setting, interventions in FOLLOWED.items():
        seen[setting], clips = synopsis(lab, *interventions)
        shown += [(setting, clip) for clip in clips[:2]]
    alone = table(COLUMNS, [[setting, *cells(found)] for setting, found in seen.items()])
    rows = [[setting, *cells(found - seen[DEFAULT])] for setting, found in seen.items() if setting != DEFAULT]
    return alone, table([f"minus {DEFAULT}", *COLUMNS[1:]], rows), sheet("synopsis", shown)
