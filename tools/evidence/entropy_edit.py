"""Entropy Edit on the demo model: does a change of colour keep the way of the thing?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

import comfy.sample
import comfy.samplers
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, max_pool3d

from pack.py.demo import world
from pack.py.demo.measure import COLOURED, chroma_of, measure
from pack.py.host.attach import attach
from pack.py.host.edit_guider import EditGuider
from pack.py.techniques.entropy_edit import PATTERNS, EntropyEdit

from .lab import GUIDANCE, STEPS, Lab, Report, cell, noises, percent, sheet, table
from .seen import centres

CLIPS, FEW = 32, 16
MARGIN = 4  # pixels around the source's thing in which the target may change
INVERSION_STEPS = 30
HEADER = ["setting", "distance", "minus the first row", "colour right", "presence in that colour"]
INTRODUCTION = (
    "# Entropy Edit on the demo model\n\nUnseen prompts with one thing; the target's prompt has another colour. Distance: mean "
    "distance in pixels between the centres of the thing in source and target, frame by frame. Clips in which either shows "
    "nothing are left out of this, and count as wrong in colour. Differences are taken clip by clip, over clips with a distance "
    "in both. Mean and 95 % bootstrap interval."
)
SETTINGS = {f"self, share {share:g}": EntropyEdit(share=share) for share in (0.5, 1.0)} | {
    f"self and cross, share {share:g}": EntropyEdit(share=share, where=PATTERNS["self and cross"]) for share in (0.5, 0.65, 1.0)
}
FEW_SETTINGS = {name: SETTINGS[name] for name in ("self, share 0.5", "self and cross, share 0.5")}
STRONGER, STRONGEST = 5.0, 7.0  # the node's own default, and where an edit stays near the source's path
ALONE = EntropyEdit(share=0.0)


@dataclass(frozen=True)
class Pair:
    """A source prompt, the same with another colour, that colour, and the seed of both."""

    source: str
    target: str
    colour: str
    seed: int


def pairs(count: int, seed: int = 11) -> list[Pair]:
    """Unseen captions with another colour."""
    colours = list(world.COLOURS)
    found = []
    for number, (clip, prompt) in enumerate(unseen(count, 1, seed)):
        own = clip.things[0].colours[0]
        other = colours[(colours.index(own) + 1) % len(colours)]
        found.append(Pair(prompt, prompt.replace(own, other), other, number))
    return found


def guider(lab: Lab, pair: Pair, technique: EntropyEdit, guidance: float, mask: Tensor | None = None) -> EditGuider:
    """As the node makes it."""
    made = EditGuider(attach(lab.model, technique), technique if technique.acts() else None, mask)
    made.set_prompts(lab.text(pair.source), lab.text(pair.target), lab.text(""), guidance)
    return made


def mask_of(video: Tensor) -> Tensor:
    """[9, 8, 8]: the parts of the latent where a clip [33, 64, 64, 3] has its thing, and MARGIN pixels around."""
    there = max_pool2d((chroma_of(video) > COLOURED).float()[:, None], 2 * MARGIN + 1, 1, MARGIN)[:, 0]
    by_latent = torch.cat([there[:1], there[1:].unflatten(0, (8, 4)).amax(1)])
    return max_pool3d(by_latent[None], (1, 8, 8))[0]


def inverted(lab: Lab, pair: Pair, latent: Tensor) -> tuple[Tensor, Tensor]:
    """Source latent [1, C, F, h, w] -> the noise that it comes from by its own prompt, and the sigmas of the way back."""
    sampling = lab.model.get_model_object("model_sampling")
    down = comfy.samplers.calculate_sigmas(sampling, "simple", INVERSION_STEPS)[1:]  # at sigma 1 nothing of a latent is left
    euler, prompt = comfy.samplers.sampler_object("euler"), lab.text(pair.source)
    nothing = torch.zeros_like(latent)
    upwards = down.flip(0)
    upwards[0] = 1e-4  # as FlipSigmas does: a step from 0 would divide by it
    up = comfy.sample.sample_custom(
        lab.model, nothing, 1.0, euler, upwards, prompt, prompt, latent, disable_pbar=True, seed=0
    )  # fmt: skip
    return up, down


def distances(sources: Tensor, targets: Tensor) -> np.ndarray:
    """[clips] mean distance in pixels between the ways of things; NaN where either clip shows none."""
    ways = zip(map(centres, sources), map(centres, targets), strict=True)
    return np.array([float((a - b).norm(dim=-1).nanmean()) for a, b in ways])


def scored(targets: Tensor, found: list[Pair]) -> list[str]:
    """Cells: right colour, presence of it."""
    seen = [measure(video).of(pair.colour) for video, pair in zip(targets, found, strict=True)]
    right = [float(one is not None and one.present.float().mean() > 0.5) for one in seen]
    presence = [float(one.present.float().mean()) if one else 0.0 for one in seen]
    return [cell(right, percent), cell(presence, percent)]


def compared(sources: Tensor, found: list[Pair], settings: dict[str, Callable[[int], Tensor]], name: str) -> tuple[str, str]:
    """Table and contact sheet over settings, each a function from the number of a pair to its target's clip."""
    rows, shown, first = [], [(f"source\n{found[i].source}", sources[i]) for i in range(3)], None
    for setting, target_of in settings.items():
        targets = torch.stack([target_of(i) for i in range(len(found))])
        away = distances(sources, targets)
        first = away if first is None else first
        rows.append([setting, cell(away, "{:.1f}".format), cell(away - first, "{:+.1f}".format), *scored(targets, found)])
        print(rows[-1], flush=True)
        shown += [(f"{setting}\nnow {found[i].colour}", targets[i]) for i in range(3)]
    return table(HEADER, rows), sheet(name, shown)


def same_noise(lab: Lab, guidance: float, settings: dict[str, EntropyEdit], name: str) -> list[str]:
    """The target's prompt alone with the source's noise, and edits."""
    found = pairs(CLIPS)
    seeds = [pair.seed for pair in found]
    sources, alone = (
        lab.videos(lab.model, prompts, seeds, guidance) for prompts in zip(*((p.source, p.target) for p in found), strict=True)
    )

    def edited(i: int, technique: EntropyEdit) -> Tensor:
        return lab.guided_videos(guider(lab, found[i], technique, guidance), [seeds[i]])[0]

    ways = {"the target's prompt with the same seed": alone.__getitem__}
    ways |= {setting: partial(edited, technique=technique) for setting, technique in settings.items()}
    return [f"## The same noise, guidance {guidance:g}, {CLIPS} clips", *compared(sources, found, ways, name)]


def masked(lab: Lab) -> list[str]:
    """Changes only around the source's thing."""
    found = pairs(FEW)
    sources = lab.videos(lab.model, [pair.source for pair in found], [pair.seed for pair in found])

    def edited(i: int, technique: EntropyEdit) -> Tensor:
        made = guider(lab, found[i], technique, GUIDANCE, mask_of(sources[i]))
        return lab.guided_videos(made, [found[i].seed])[0]

    ways = {name: partial(edited, technique=one) for name, one in ({"mask alone": ALONE} | FEW_SETTINGS).items()}
    said = f"The mask is white where the source has its thing and {MARGIN} pixels around it, frame by frame."
    return [f"## With a mask, {FEW} clips", said, *compared(sources, found, ways, "entropy_edit_mask")]


def real_video(lab: Lab) -> list[str]:
    """Source clips are turned back into noise first, as existing videos are."""
    found = pairs(FEW)
    latents = [
        comfy.sample.sample(
            lab.model, noise, STEPS, GUIDANCE, "euler", "simple", lab.text(pair.source), lab.text(""), torch.zeros_like(noise),
            seed=0, disable_pbar=True,
        )
        for pair in found
        for noise in [noises([pair.seed])]
    ]  # fmt: skip
    sources = torch.cat([lab.vae.decode(latent).clamp(0, 1) for latent in latents])
    noise = [inverted(lab, pair, latent) for pair, latent in zip(found, latents, strict=True)]

    def edited(i: int, technique: EntropyEdit) -> Tensor:
        start, sigmas = noise[i]
        made, euler = guider(lab, found[i], technique, GUIDANCE), comfy.samplers.sampler_object("euler")
        return lab.vae.decode(made.sample(torch.zeros_like(start), start, euler, sigmas, disable_pbar=True, seed=0)).clamp(0, 1)[
            0
        ]

    ways = {name: partial(edited, technique=one) for name, one in ({"from that noise alone": ALONE} | FEW_SETTINGS).items()}
    said = f"Each source clip is inverted with its own prompt in {INVERSION_STEPS} steps without guidance; edits start there."
    return [f"## Videos that exist, {FEW} clips", said, *compared(sources, found, ways, "entropy_edit_inverted")]


def run(lab: Lab, part: str | None = None) -> None:
    """Writes the page, or one part of it again."""
    usual = partial(same_noise, guidance=GUIDANCE, settings=SETTINGS, name="entropy_edit")
    strong = partial(same_noise, guidance=STRONGER, settings=SETTINGS, name="entropy_edit_5")
    cross = {name: technique for name, technique in SETTINGS.items() if name.startswith("self and cross")}
    strongest = partial(same_noise, guidance=STRONGEST, settings=cross, name="entropy_edit_7")
    parts = {
        "same_noise": usual,
        "stronger_guidance": strong,
        "strongest_guidance": strongest,
        "mask": masked,
        "real_video": real_video,
    }
    Report("entropy_edit", INTRODUCTION, parts).run(lab, part)
