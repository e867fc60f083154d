"""`dev.py demo-quality`: samples unseen prompts with the demo model, reads the clips back and scores them against the targets.

The last line sums it up; the exit status is 1 when a required figure is missed. Pictures go to output/demo-quality.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from tools import ROOT, inside_host  # noqa: F401  isort: skip  (before every comfy import)

import comfy.sample

from pack.py.demo import captions, network, text, vae, weights, world
from pack.py.demo.measure import Measured, measure
from pack.py.demo.verdict import Verdict, judge
from tools import contact_sheet, train_demo, word_attention

RESULTS = ROOT / "output" / "demo-quality"
STEPS, GUIDANCE, BATCH = 20, 3.0, 20
SEEDS = 60  # of one prompt, to see how its timing varies


@dataclass(frozen=True)
class Target:
    """A share of clips to reach; where it is required, missing it fails the command."""

    name: str
    share: float
    required: bool = False


ONE = (
    Target("present", 0.99, True),
    Target("background", 0.99, True),
    Target("colour", 0.98, True),
    Target("shape", 0.90, True),
    Target("moves_or_stays", 0.95),
    Target("direction", 0.85),
    Target("everything", 0.70),
)
TWO = (Target("colour", 0.95), Target("shape", 0.80))


@dataclass(frozen=True)
class Sampled:
    """One prompt, its clip [33, 64, 64, 3], and what was found in it."""

    asked: world.Clip
    prompt: str
    video: Tensor
    measured: Measured
    verdict: Verdict


class Sampler:
    """The demo model with ComfyUI's own sampler: KSampler's euler, simple schedule."""

    def __init__(self):
        self.model, self.clip, self.vae = network.load_model(), text.load_clip(), vae.load_vae()

    def text(self, prompts: Sequence[str]) -> list:
        """One conditioning for several prompts, a batch row each."""
        encoded = [self.clip.encode_from_tokens(self.clip.tokenize(prompt)) for prompt in prompts]
        return [[torch.cat(encoded), {}]]

    def latents(self, prompts: Sequence[str], seed: int, model=None, guidance: float = GUIDANCE) -> Tensor:
        """Latents [B, 16, 9, 8, 8]."""
        empty = torch.zeros(len(prompts), 16, 9, 8, 8)
        noise = comfy.sample.prepare_noise(empty, seed)
        return comfy.sample.sample(
            model or self.model, noise, STEPS, guidance, "euler", "simple", self.text(prompts), self.text([""]), empty,
            seed=seed, disable_pbar=True,
        )  # fmt: skip

    def videos(self, latents: Tensor) -> Tensor:
        """[B, 33, 64, 64, 3] in [0, 1]."""
        return self.vae.decode(latents).clamp(0, 1)


def unseen(count: int, things: int, seed: int) -> list[tuple[world.Clip, str]]:
    """Clips and captions; of those with one thing every fourth is a combination held out of training."""
    random = Random(f"demo-quality {things} {seed}")
    clips = [world.random_clip(random, things, held_out=things == 1 and i % 4 == 0) for i in range(count)]
    return [(clip, captions.caption(clip, random)) for clip in clips]


def run(sampler: Sampler, asked: list[tuple[world.Clip, str]], seed: int, guidance: float = GUIDANCE) -> list[Sampled]:
    """Samples and judges every prompt, in batches."""
    found = []
    for first in range(0, len(asked), BATCH):
        part = asked[first : first + BATCH]
        videos = sampler.videos(sampler.latents([prompt for _, prompt in part], seed + first, guidance=guidance))
        for (clip, prompt), video in zip(part, videos, strict=True):
            measured = measure(video)
            found.append(Sampled(clip, prompt, video, measured, judge(clip, measured)))
    return found


def share(found: Sequence[Sampled], name: str) -> float:
    """Of the clips to which the figure applies, how many have it."""
    values = [value for one in found if (value := getattr(one.verdict, name)) is not None]
    return sum(values) / len(values) if values else float("nan")


def table(title: str, found: Sequence[Sampled], targets: Sequence[Target]) -> list[Target]:
    """Prints reached and wanted shares; returns the missed targets."""
    print(f"\n{title}: {len(found)} clips")
    missed = []
    for target in targets:
        reached = share(found, target.name)
        good = reached >= target.share
        mark = "ok" if good else "MISSED" if target.required else "not reached"
        wanted = f"{'required' if target.required else 'wanted'} {target.share:.0%}"
        print(f"  {target.name.replace('_', ' '):<16}{reached:7.1%}   {wanted:<14}  {mark}")
        missed += [] if good else [target]
    return missed


def timing(found: Sequence[Sampled]) -> None:
    """How many things come late or leave early: the prompt does not say, the seed decides."""
    first = [int(one.measured.things[0].present.nonzero()[0]) for one in found if one.measured.things]
    last = [int(one.measured.things[0].present.nonzero()[-1]) for one in found if one.measured.things]
    for name, frames in (("first", first), ("last", last)):
        counts = [sum(low <= frame < low + 4 for frame in frames) for low in range(0, world.FRAMES, 4)]
        print(f"  {name} frame with the thing, by latent frame (0-3, 4-7, ...): {' '.join(f'{count:3d}' for count in counts)}")


def speed(sampler: Sampler) -> float:
    """Seconds of one clip of 20 steps with guidance; the median of five."""
    seconds = []
    for seed in range(6):
        started = time.perf_counter()
        sampler.videos(sampler.latents(["a red circle moves left on white"], seed))
        seconds.append(time.perf_counter() - started)
    return sorted(seconds[1:])[2]


def main() -> int:
    arguments = argparse.ArgumentParser("dev.py demo-quality --", description=__doc__)
    arguments.add_argument("--one", type=int, default=200, help="clips with one thing")
    arguments.add_argument("--two", type=int, default=100, help="clips with two things")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--checkpoint", action="store_true", help="score train-demo's checkpoint, not the released weights")
    options = arguments.parse_args()
    if options.checkpoint:
        weights.FILE = train_demo.CHECKPOINT
    RESULTS.mkdir(parents=True, exist_ok=True)
    sampler = Sampler()
    one = run(sampler, unseen(options.one, 1, options.seed), options.seed)
    two = run(sampler, unseen(options.two, 2, options.seed), options.seed + 10_000)
    missed = table("One thing", one, ONE) + table("Two things", two, TWO)
    held_out = [found for i, found in enumerate(one) if i % 4 == 0]
    print(f"\nCombinations never trained on, {len(held_out)} of these clips: everything {share(held_out, 'everything'):.1%}")
    same = unseen(1, 1, options.seed + 1) * SEEDS
    for guidance in (1.0, GUIDANCE):
        print(f'\n{SEEDS} seeds of "{same[0][1]}", guidance {guidance:g}:')
        timing(run(sampler, same, options.seed + 20_000, guidance))
    word_attention.report(sampler, one[:20], options.seed)
    for name, found in (("one", one[:24]), ("two", two[:24])):
        print(contact_sheet.save(found, RESULTS / f"{name}.png"))
    print(f"\nOne clip of {STEPS} steps: {speed(sampler):.2f} s")
    failed = [target.name for target in missed if target.required]
    print(f"Required figures missed: {', '.join(failed)}" if failed else
          f"All required figures reached; wanted and not reached: {', '.join(t.name for t in missed) or 'none'}")  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
