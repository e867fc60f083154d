"""VSP and TAR on the demo model: does the thing change colour when the synopsis says, and does TAR move things without jumps?"""

from __future__ import annotations

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

from collections.abc import Callable

from torch import Tensor

from pack.py.core.frame_text import KeyMark
from pack.py.core.key_places import Placement
from pack.py.core.key_prompts import KeyPrompt
from pack.py.demo.measure import measure
from pack.py.demo.verdict import judge
from pack.py.host.attach import attach
from pack.py.host.key_texts import KEY
from pack.py.techniques.tar import TemporalAttentionRegularization
from pack.py.techniques.vsp import VideoSynopsisPrompting

from .lab import GUIDANCE, Lab, Page, cell, percent, sheet, table
from .seen import centres, colours_by_frame, displacement, largest_jump

SEEDS = range(8)  # for each of the synopses
CLIPS = 32
SYNOPSES = [
    (f"a {first} {shape} moves {way} on {background}", f"a {second} {shape} moves {way} on {background}", (first, second))
    for first, second, shape, way, background in (
        ("red", "blue", "circle", "right", "black"),
        ("green", "yellow", "square", "left", "gray"),
        ("blue", "red", "triangle", "up", "white"),
        ("yellow", "green", "circle", "down", "black"),
    )
]
PAPER = TemporalAttentionRegularization(strength=1.0, sigma=1.0, sigma_unit="latent frames")
DIT = TemporalAttentionRegularization()
STRONG = TemporalAttentionRegularization(strength=0.3)


def key_prompts(lab: Lab, *texts: str) -> list:
    """Conditioning of evenly spread key prompts."""
    placement = Placement(tuple(map(KeyPrompt, texts)), 4, 16.0)
    return [[lab.text(text)[0][0], {KEY: KeyMark(placement, i, len(texts))}] for i, text in enumerate(texts)]


def synopsis(lab: Lab, *interventions) -> tuple[list[str], list[Tensor]]:
    """Cells of one setting over all synopses, and one clip of each."""
    model, rows, shown = attach(lab.model, *interventions), [], []
    for first, second, colours in SYNOPSES:
        videos = lab.videos(model, key_prompts(lab, first, second), list(SEEDS))
        rows += [_followed(video, colours) for video in videos]
        shown.append(videos[0])
    first, last, presence, jump = zip(*rows, strict=True)
    both = [float(a > 0.5 and b > 0.5) for a, b in zip(first, last, strict=True)]
    return [*(cell(x, percent) for x in (first, last, both, presence)), cell(jump, "{:.1f}".format)], shown


def _followed(video: Tensor, colours: tuple[str, str]) -> tuple[float, float, float, float]:
    """Right colour alone in the first and last third, presence of either, largest jump of what is there."""
    one, other = colours_by_frame(video, colours).values()
    third = len(video) // 3
    ends = (one & ~other)[:third], (other & ~one)[-third:]
    return (*(float(end.float().mean()) for end in ends), float((one | other).float().mean()), largest_jump(centres(video)))


def motion(lab: Lab, *interventions) -> tuple[list[str], list[Tensor]]:
    """Cells of one setting over unseen prompts with one moving thing."""
    asked = unseen(CLIPS, 1, seed=5)
    videos = lab.videos(attach(lab.model, *interventions), [prompt for _, prompt in asked], range(CLIPS))
    paths = [centres(video) for video in videos]
    change = [float((video[1:] - video[:-1]).abs().mean()) * 100 for video in videos]
    verdicts = [judge(clip, measure(video)) for (clip, _), video in zip(asked, videos, strict=True)]
    cells = [cell(map(displacement, paths), "{:.1f}".format), cell(map(largest_jump, paths), "{:.1f}".format), cell(change)]
    return [*cells, *(cell([getattr(v, name) for v in verdicts], percent) for name in ("shape", "everything"))], list(videos[:2])


def vsp(transition: float) -> VideoSynopsisPrompting:
    """VSP with this transition."""
    return VideoSynopsisPrompting(transition=transition)


FOLLOWED = {
    "VSP, transition 0": [vsp(0.0)],
    "VSP, transition 0.25 (default)": [vsp(0.25)],
    "VSP, transition 1 (the paper)": [vsp(1.0)],
    "VSP, transition 1, slerp": [VideoSynopsisPrompting(transition=1.0, interpolation="slerp")],
    "VSP 0.25 + TAR 0.1 (default)": [vsp(0.25), DIT],
    "VSP 0.25 + TAR 0.3": [vsp(0.25), STRONG],
    "VSP 1 + TAR 0.1": [vsp(1.0), DIT],
    "VSP 0.25 + TAR of the paper (1, sigma 1)": [vsp(0.25), PAPER],
}
MOVED = {
    "no node": [],
    "TAR 0.1, sigma a quarter of the frames (default)": [DIT],
    "TAR 0.2": [TemporalAttentionRegularization(strength=0.2)],
    "TAR 0.3": [STRONG],
    "TAR 0.6": [TemporalAttentionRegularization(strength=0.6)],
    "TAR -0.1": [TemporalAttentionRegularization(strength=-0.1)],
    "TAR -0.3": [TemporalAttentionRegularization(strength=-0.3)],
    "TAR of the paper (1, sigma 1)": [PAPER],
}


COLOUR_COLUMNS = ["right colour, first third", "right colour, last third", "both ends", "presence", "largest jump"]
MOTION_COLUMNS = ["first to last place", "largest jump", "change between frames, %", "shape", "everything"]


def run(lab: Lab) -> None:
    """Writes the page."""
    page = Page("synopsis")
    page.add(
        "# Synopsis and regularization on the demo model",
        f"{len(SYNOPSES)} synopses of two key prompts that differ in one colour, {len(SEEDS)} seeds each, guidance {GUIDANCE:g}. "
        "Right colour: share of the frames of the first and last third in which this colour alone is there. Both ends: clips in "
        "which that holds for more than half of each. Mean and 95 % bootstrap interval; jumps in pixels between two frames.",
        *compared(lab, synopsis, FOLLOWED, "synopsis", COLOUR_COLUMNS),
        "## Regularization alone",
        f"{CLIPS} unseen prompts with one thing, the same noise for every setting; ways in pixels. The model was trained on "
        "things that cross most of the room, so there is little way to be gained.",
        *compared(
            lab, motion, MOVED, "regularization", ["first to last place", "largest jump", "change, %", "shape", "everything"]
        ),
    )


def compared(lab: Lab, experiment: Callable, settings: dict[str, list], name: str, header: list[str]) -> tuple[str, str]:
    """Table and contact sheet of an experiment under several settings."""
    rows, shown = [], []
    for setting, interventions in settings.items():
        cells, clips = experiment(lab, *interventions)
        rows.append([setting, *cells])
        shown += [(setting, clip) for clip in clips[:2]]
    return table(["setting", *header], rows), sheet(name, shown)
