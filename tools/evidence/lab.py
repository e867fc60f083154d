"""What experiments share: the demo model with the host's sampler, paired seeds, intervals, contact sheets, a page of results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy import stats
from torch import Tensor

from tools import ROOT, inside_host  # noqa: F401  isort: skip  (before every comfy import)

import comfy.sample
import comfy.samplers

from pack.py.demo import network, text, vae

PAGES = ROOT / "docs" / "evidence"
STEPS, GUIDANCE, BATCH = 20, 3.0, 16
CHANNELS, FRAMES, SIDE = 16, 9, 8  # of the latent
FRAME, SHOWN, LABEL, WIDEST = 64, 9, 300, 42  # pixels of a frame, frames of a clip, pixels and letters for its label


class Lab:
    """The demo model; every clip has a seed and noise of its own, so that settings are compared pair by pair."""

    def __init__(self):
        self.model, self.clip, self.vae = network.load_model(), text.load_clip(), vae.load_vae()

    def text(self, *prompts: str) -> list:
        """One conditioning; several prompts are the rows of its batch."""
        return [[torch.cat([self.clip.encode_from_tokens(self.clip.tokenize(prompt)) for prompt in prompts]), {}]]

    def videos(
        self, model, positive, seeds: Sequence[int], guidance: float = GUIDANCE, steps: int = STEPS, frames: int = FRAMES
    ) -> Tensor:
        """Clips [B, 4 * frames - 3, 64, 64, 3] of latent `frames`; `positive` is a conditioning, or one prompt for each seed."""
        clips = []
        for first in range(0, len(seeds), BATCH):
            part = slice(first, first + BATCH)
            given = self.text(*positive[part]) if isinstance(positive[0], str) else positive
            noise = noises(seeds[part], frames)
            latents = comfy.sample.sample(
                model, noise, steps, guidance, "euler", "simple", given, self.text(""), torch.zeros_like(noise), seed=0,
                disable_pbar=True,
            )  # fmt: skip
            clips.append(self.vae.decode(latents).clamp(0, 1))
        return torch.cat(clips)

    def guided_videos(self, guider, seeds: Sequence[int], steps: int = STEPS) -> Tensor:
        """The same by a guider, all in one batch."""
        noise, sampling = noises(seeds), self.model.get_model_object("model_sampling")
        sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", steps)
        euler = comfy.samplers.sampler_object("euler")
        latents = guider.sample(noise, torch.zeros_like(noise), euler, sigmas, disable_pbar=True, seed=0)
        return self.vae.decode(latents).clamp(0, 1)


def noises(seeds: Sequence[int], frames: int = FRAMES) -> Tensor:
    """Noise [B, C, F, h, w], each seed its own."""
    shape = CHANNELS, frames, SIDE, SIDE
    return torch.stack([torch.randn(shape, generator=torch.manual_seed(seed)) for seed in seeds])


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """95 % interval of the mean of values that are one a clip: bootstrap; None where they do not vary, which says nothing.

    Where all are 1, a share that no clip falls short of, it is Wilson's: resampling finds no spread there.
    """
    if len(values) and (values == 1).all():
        found = stats.binomtest(len(values), len(values)).proportion_ci(method="wilson")
        return float(found.low), float(found.high)
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    found = stats.bootstrap((values,), np.mean, n_resamples=2000, rng=np.random.default_rng(0), method="percentile")
    return tuple(map(float, found.confidence_interval))


def cell(values: Iterable[float], unit: Callable[[float], str] = "{:.2f}".format) -> str:
    """Mean (lower to upper end of its interval), and of how many clips where some have no value (NaN)."""
    given = np.asarray(list(values), float)
    known = given[np.isfinite(given)]
    if not len(known):
        return "no clip"
    ends = interval(known)
    said = unit(known.mean()) + (f" ({unit(ends[0])} to {unit(ends[1])})" if ends else "")
    return said if len(known) == len(given) else f"{said}, {len(known)} clip{'s' if len(known) > 1 else ''}"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def wrapped(label: str) -> str:
    """Lines that fit beside the frames."""
    return "\n".join(part for line in label.split("\n") for part in wrap(line, WIDEST))


def sheet(name: str, clips: Sequence[tuple[str, Tensor] | tuple[str, Tensor, Tensor]]) -> str:
    """Draws clips one under the other, nine frames and a label each; returns the Markdown that shows the picture.

    A clip may come with the frames [F] bool in which a thing is wanted: they get a bar underneath.
    """
    PAGES.mkdir(parents=True, exist_ok=True)
    page = Image.new("RGB", (LABEL + SHOWN * (FRAME + 2), len(clips) * (FRAME + 6)), "#fafafa")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for row, (label, video, *wanted) in enumerate(clips):
        top = row * (FRAME + 6)
        draw.multiline_text((8, top + 4), wrapped(label), fill="#202020", font=font)
        for place, frame in enumerate(torch.linspace(0, len(video) - 1, SHOWN).round().long().tolist()):
            pixels = (video[frame] * 255).round().byte().numpy()
            left = LABEL + place * (FRAME + 2)
            page.paste(Image.fromarray(pixels), (left, top))
            if wanted and wanted[0][frame]:
                draw.rectangle((left, top + FRAME, left + FRAME, top + FRAME + 3), fill="#0072b2")
    page.save(PAGES / f"{name}.png", optimize=True)
    return f"![{name.replace('_', ' ')}]({name}.png)"


@dataclass
class Page:
    """One page of results, written as it grows."""

    name: str
    parts: list[str] = field(default_factory=list)
    folder: Path = PAGES

    def add(self, *parts: str) -> None:
        """Appends paragraphs, prints them and writes the page."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.parts += parts
        print(*parts, sep="\n\n", flush=True)
        self.path.write_text("\n\n".join(self.parts) + "\n", encoding="utf-8")

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.md"


PART, REMARKS = "<!-- part {} -->", "<!-- remarks: this script keeps what is below -->"
Part = Callable[[Lab], Sequence[str]]


@dataclass(frozen=True)
class Report:
    """A page in parts, each of them an experiment that can be run again alone; remarks written by hand below a part stay."""

    name: str
    introduction: str
    parts: dict[str, Part]

    def run(self, lab: Lab, only: str | None) -> None:
        """Runs all parts, or this one, and writes the page after each."""
        for name in [only] if only else self.parts:
            generated, remarks = "\n\n".join(self.parts[name](lab)), self._kept().get(name, ("", ""))[1]
            print(generated, flush=True)
            self._write(self._kept() | {name: (generated, remarks)})

    @property
    def path(self) -> Path:
        return PAGES / f"{self.name}.md"

    def _kept(self) -> dict[str, tuple[str, str]]:
        """Parts of the page as it stands: what a script wrote, and the remarks."""
        if not self.path.exists():
            return {}
        _, *found = re.split(re.escape(PART).replace(r"\{\}", "(.+?)"), self.path.read_text(encoding="utf-8"))
        texts = [text.partition(REMARKS) for text in found[1::2]]
        return {name: (made.strip(), remarks.strip()) for name, (made, _, remarks) in zip(found[::2], texts, strict=True)}

    def _write(self, texts: dict[str, tuple[str, str]]) -> None:
        PAGES.mkdir(parents=True, exist_ok=True)
        known = [(name, *texts[name]) for name in self.parts if name in texts]
        parts = [text for name, made, remarks in known for text in (PART.format(name), made, REMARKS, remarks)]
        self.path.write_text("\n\n".join(text for text in (self.introduction, *parts) if text) + "\n", encoding="utf-8")
