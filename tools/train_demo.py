"""`dev.py train-demo`: trains the demo network on rendered clips, by flow matching; runs in the host's own Python.

Resumable: it starts from the newest of its own checkpoints, and stops after --minutes. On a GPU all clips are rendered there.
"""

import argparse
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tools import inside_host, pins  # noqa: F401  isort: skip  (before every comfy import)

import comfy.ldm.wan.model
import comfy.model_management
from comfy.ldm.modules.attention import attention_pytorch

from pack.py.demo import captions, codec, vocabulary, weights, world

CHECKPOINTS = pins.cache_folder(os.environ) / "train-demo"  # outlives a checkout: training takes many sittings
SHIFT = 3.0  # of the sigmas, as the node samples
DROPPED_PROMPTS = 0.12  # shown without their caption, for classifier-free guidance
EMA_DECAY = 0.999
WARM_UP = 200  # steps
FLIPPED_WORDS = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Settings:
    """What a training run may choose."""

    minutes: float
    batch: int
    learning_rate: float
    pool: int
    fresh: int
    two_things: float
    seed: int


class Pool:
    """Latents and captions of rendered clips; a few are replaced at every step, and half of each batch is mirrored."""

    def __init__(self, settings: Settings, device: torch.device):
        self.settings, self.device = settings, device
        self.random = Random(settings.seed)
        self.codec = codec.LinearCodec().to(device)
        self.words, self.places = vocabulary.word_codes(), vocabulary.position_codes()
        self.mirror = torch.tensor([(-1.0) ** component[3] for component in codec.COMPONENTS], device=device).view(-1, 1, 1, 1)
        self.latents, self.captions = self._render(settings.pool)
        self.next = 0

    def batch(self) -> tuple[Tensor, Tensor]:
        """Latents [B, 16, 9, 8, 8] and text [B, 16, 96], after some clips were replaced."""
        self._replace(self.settings.fresh)
        chosen = [self.random.randrange(len(self.captions)) for _ in range(self.settings.batch)]
        latents = self.latents[torch.tensor(chosen, device=self.device)].float()
        words = [self.captions[i] for i in chosen]
        for i in range(0, len(chosen), 2):
            latents[i] = latents[i].flip(-1) * self.mirror
            words[i] = " ".join(FLIPPED_WORDS.get(word, word) for word in words[i].split())
        words = ["" if self.random.random() < DROPPED_PROMPTS else caption for caption in words]
        return latents, torch.cat([self._encoded(caption) for caption in words])

    def _encoded(self, caption: str) -> Tensor:
        ids = [vocabulary.WORD_IDS[word] for word in vocabulary.split_words(caption)]
        codes = self.words[ids] + self.places[: len(ids)]
        return torch.nn.functional.pad(codes, (0, 0, 0, vocabulary.LENGTH - len(ids)))[None].to(self.device)

    def _replace(self, count: int) -> None:
        if count:
            latents, words = self._render(count)
            for i in range(count):
                place = (self.next + i) % len(self.captions)
                self.latents[place], self.captions[place] = latents[i], words[i]
            self.next += count

    def _render(self, count: int) -> tuple[Tensor, list[str]]:
        clips = [world.random_clip(self.random, 1 + (self.random.random() < self.settings.two_things)) for _ in range(count)]
        parts = [self.codec.encode(world.render(clips[i : i + 64], self.device) * 2 - 1) for i in range(0, count, 64)]
        return torch.cat(parts).half(), [captions.caption(clip, self.random) for clip in clips]


def optimizers(network: torch.nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks (clearly better a step than AdamW alone here), AdamW for everything else."""
    matrices = [p for name, p in network.named_parameters() if name.startswith("blocks.") and p.ndim == 2]
    known = {id(p) for p in matrices}
    others = [p for p in network.parameters() if id(p) not in known]
    return [
        torch.optim.Muon(matrices, lr=rate, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.97), weight_decay=0.0),
    ]


def sigmas(count: int, device: torch.device) -> Tensor:
    """[count] noise levels: spread evenly over the quantiles of a logit-normal, a fifth of them uniform, then shifted."""
    even = (torch.arange(count, device=device) + torch.rand(count, device=device)) / count
    normal = torch.sigmoid(math.sqrt(2) * torch.erfinv((2 * even - 1).clamp(-0.999, 0.999)))
    level = torch.where(torch.rand(count, device=device) < 0.2, even, normal)
    return SHIFT * level / (1 + (SHIFT - 1) * level)


def loss_of(network: torch.nn.Module, latents: Tensor, context: Tensor) -> Tensor:
    """[B] squared errors of the velocity noise - latent."""
    sigma = sigmas(len(latents), latents.device)
    noise = torch.randn_like(latents)
    level = sigma.view(-1, 1, 1, 1, 1)
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=latents.is_cuda):  # most CPUs are far slower in bfloat16
        predicted = network((1 - level) * latents + level * noise, sigma * 1000, context)
    return (predicted.float() - (noise - latents)).square().mean((1, 2, 3, 4))


def rate_at(share: float, step: int) -> float:
    """Learning rate as a share of its peak: warm-up, a plateau for half of the time, then a cosine down to 2 %."""
    decay = 1.0 if share < 0.5 else max(0.02, 0.5 * (1 + math.cos(math.pi * (share - 0.5) / 0.5)))
    return min(1.0, (step + 1) / WARM_UP) * decay


def train(settings: Settings) -> None:
    """Trains until the time is over; saves the average of the weights every five minutes and at the end."""
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    comfy.model_management.in_training = True
    comfy.ldm.wan.model.optimized_attention = attention_pytorch
    network = weights.empty_network("cpu")
    network.load_state_dict(load_file(newest()) if newest() else weights.weights())
    network.to(device).requires_grad_(True).train()
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    pool, steppers = Pool(settings, device), optimizers(network, settings.learning_rate)
    started = saved = time.monotonic()
    step, total = 0, 0.0
    while (passed := time.monotonic() - started) < settings.minutes * 60:
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = settings.learning_rate * rate_at(passed / (settings.minutes * 60), step)
            stepper.zero_grad(set_to_none=True)
        loss = loss_of(network, *pool.batch()).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for stepper in steppers:
            stepper.step()
        step, total = step + 1, total + float(loss.detach())
        blend(average, network.state_dict(), min(EMA_DECAY, (1 + step) / (10 + step)))
        if step % 100 == 0:
            speed = step * settings.batch / passed
            print(f"step {step}, {passed:.0f} s, {speed:.0f} clips/s, loss {total / 100:.4f}", flush=True)
            total = 0.0
        if time.monotonic() - saved > 300:
            save(average)
            saved = time.monotonic()
    save(average)


def blend(average: dict[str, Tensor], current: dict[str, Tensor], decay: float) -> None:
    """The moving average of the weights, in place."""
    with torch.no_grad():
        torch._foreach_lerp_(list(average.values()), [current[name] for name in average], 1 - decay)


def newest() -> Path | None:
    """The checkpoint to go on from."""
    path = CHECKPOINTS / "demo.safetensors"
    return path if path.is_file() else None


def save(average: dict[str, Tensor]) -> None:
    """Writes the averaged weights in float32 (the released file is made from them in float16)."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    partial = CHECKPOINTS / "partial.safetensors"
    save_file({name: value.cpu().contiguous() for name, value in average.items()}, partial, weights.ARCHITECTURE.metadata())
    partial.replace(CHECKPOINTS / "demo.safetensors")
    print(f"saved {CHECKPOINTS / 'demo.safetensors'}", flush=True)


def main() -> None:
    """Reads the settings and trains."""
    arguments = argparse.ArgumentParser("dev.py train-demo --", description=__doc__)
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--batch", type=int, default=32)
    arguments.add_argument("--learning-rate", type=float, default=2e-3)
    arguments.add_argument("--pool", type=int, default=4096, help="clips kept in memory")
    arguments.add_argument("--fresh", type=int, default=2, help="clips rendered anew at every step")
    arguments.add_argument("--two-things", type=float, default=0.1, help="share of clips with two shapes")
    arguments.add_argument("--seed", type=int, default=0)
    train(Settings(**vars(arguments.parse_args())))


if __name__ == "__main__":
    main()
