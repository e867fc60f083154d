"""`dev.py train-demo`: trains the demo network on rendered clips, by flow matching; runs in the host's own Python.

Resumable: it goes on from its own checkpoint, else from the released weights, and stops after --minutes, with
figures and contact sheets of a few clips. On a CPU under Linux, preloading jemalloc makes it a third faster.
"""

import argparse
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tools import inside_host, pins  # noqa: F401  isort: skip  (before every comfy import)

import comfy.ldm.wan.model
import comfy.model_management

from pack.py.demo import weights
from tools.initial_weights import initial_weights
from tools.train_clips import Pool

CHECKPOINT = pins.cache_folder(os.environ) / "train-demo" / "demo.safetensors"  # training takes many sittings
STEPS = "steps"  # key of the file's metadata
SHIFT = 3.0  # of the sigmas, as the node samples
EMA_DECAY = 0.999
WARM_UP = 200  # steps
SAVE_EVERY = 300  # seconds
REPORT_EVERY = 100  # steps


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
    compile: bool
    from_scratch: bool


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


def small_attention(q: Tensor, k: Tensor, v: Tensor, heads: int, **options) -> Tensor:
    """Attention [B, N, H * D] in plain products: on 144 tokens faster forwards and backwards than any fused kernel here."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1).to(v.dtype)
    return (weights @ v).transpose(1, 2).flatten(2)


def faster_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where this machine multiplies matrices clearly faster in it, else float32."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.randn(1024, 1024, device=device).to(dtype)
        matrix @ matrix
        started = time.perf_counter()
        for _ in range(5):
            total = (matrix @ matrix).sum().item()
        seconds[dtype] = time.perf_counter() - started + 0 * total
    return torch.bfloat16 if seconds[torch.bfloat16] * 1.5 < seconds[torch.float32] else torch.float32


def rate_at(share: float, step: int) -> float:
    """Learning rate as a share of its peak: warm-up, a plateau for half of the time, then a cosine down to 2 %."""
    decay = 1.0 if share < 0.5 else max(0.02, 0.5 * (1 + math.cos(math.pi * (share - 0.5) / 0.5)))
    return min(1.0, (step + 1) / WARM_UP) * decay


def starting_weights(network: torch.nn.Module, settings: Settings) -> dict[str, Tensor]:
    """Random ones, the checkpoint, or the released weights."""
    if settings.from_scratch:
        return initial_weights(network, settings.seed)
    return load_file(CHECKPOINT) if CHECKPOINT.is_file() else weights.weights()


def earlier_steps(settings: Settings) -> int:
    """Steps that went into the starting weights."""
    if settings.from_scratch:
        return 0
    with safe_open(CHECKPOINT if CHECKPOINT.is_file() else weights.FILE, "pt") as file:
        return int(file.metadata().get(STEPS, 0))


class Trainer:
    """The network, the average of its weights, and what one step needs."""

    def __init__(self, settings: Settings):
        self.settings, self.earlier = settings, earlier_steps(settings)
        seed = settings.seed + self.earlier  # every sitting sees other clips
        torch.manual_seed(seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.dtype = faster_dtype(self.device)
        self.network = weights.empty_network("cpu")
        self.network.load_state_dict(starting_weights(self.network, settings))
        self.network.to(self.device).requires_grad_(True).train()
        self.forward = torch.compile(self.network) if settings.compile else self.network
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.pool = Pool(settings.pool, settings.fresh, settings.two_things, seed, self.device)
        self.steppers = optimizers(self.network, settings.learning_rate)
        self.steps = 0

    def step(self, share: float) -> Tensor:
        """One update at this share of the training time; returns the loss."""
        for stepper in self.steppers:
            for group in stepper.param_groups:
                group["lr"] = self.settings.learning_rate * rate_at(share, self.steps)
            stepper.zero_grad(set_to_none=True)
        loss = self.loss(*self.pool.batch(self.settings.batch))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for stepper in self.steppers:
            stepper.step()
        self._blend(min(EMA_DECAY, (1 + self.steps) / (10 + self.steps)))
        self.steps += 1
        return loss.detach()

    def loss(self, latents: Tensor, context: Tensor) -> Tensor:
        """Mean squared error of the velocity noise - latent."""
        sigma = sigmas(len(latents), latents.device)
        noise = torch.randn_like(latents)
        level = sigma.view(-1, 1, 1, 1, 1)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            predicted = self.forward((1 - level) * latents + level * noise, sigma * 1000, context)
        return (predicted.float() - (noise - latents)).square().mean()

    def _blend(self, decay: float) -> None:
        current = self.network.state_dict()
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), [current[name] for name in self.average], 1 - decay)

    def save(self, path: Path) -> None:
        """Writes the averaged weights in float32 (`--release` makes the float16 file of the repository from them)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        on_cpu = {name: value.cpu().contiguous() for name, value in self.average.items()}
        save_file(on_cpu, partial, {**weights.ARCHITECTURE.metadata(), STEPS: str(self.earlier + self.steps)})
        partial.replace(path)


def train(settings: Settings) -> None:
    """Trains until the time is over; saves every five minutes and at the end."""
    comfy.model_management.in_training = True
    comfy.ldm.wan.model.optimized_attention = small_attention
    if settings.from_scratch and CHECKPOINT.is_file():
        CHECKPOINT.replace(CHECKPOINT.with_suffix(".previous"))
    trainer = Trainer(settings)
    print(f"training on {trainer.device} in {trainer.dtype}", flush=True)
    started = saved = time.monotonic()
    total = 0.0
    while (passed := time.monotonic() - started) < settings.minutes * 60:
        total += float(trainer.step(passed / (settings.minutes * 60)))
        if trainer.steps % REPORT_EVERY == 0:
            speed = trainer.steps * settings.batch / passed
            print(f"step {trainer.steps}, {passed:.0f} s, {speed:.0f} clips/s, loss {total / REPORT_EVERY:.4f}", flush=True)
            total = 0.0
        if time.monotonic() - saved > SAVE_EVERY:
            trainer.save(CHECKPOINT)
            saved = time.monotonic()
    trainer.save(CHECKPOINT)
    print(f"saved {CHECKPOINT}; a short look at it (all figures: python dev.py demo-quality -- --checkpoint)", flush=True)
    subprocess.run([sys.executable, "-m", "tools.demo_quality", "--checkpoint", "--one", "24", "--two", "24"], check=False)


def release() -> None:
    """Rounds the checkpoint to float16 and puts it where the pack loads it from."""
    rounded = {name: value.half() for name, value in load_file(CHECKPOINT).items()}
    with safe_open(CHECKPOINT, "pt") as file:
        save_file(rounded, weights.FILE, file.metadata())
    print(f"{weights.FILE}: {weights.FILE.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    """Reads the settings and trains."""
    arguments = argparse.ArgumentParser("dev.py train-demo --", description=__doc__)
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--batch", type=int, default=32)
    arguments.add_argument("--learning-rate", type=float, default=2e-3)
    arguments.add_argument("--pool", type=int, default=4096, help="clips kept in memory")
    arguments.add_argument("--fresh", type=int, default=4, help="clips rendered anew at every step")
    arguments.add_argument("--two-things", type=float, default=0.25, help="share of clips with two shapes")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--compile", action="store_true", help="compile the network first: faster, but needs a C++ compiler")
    arguments.add_argument("--from-scratch", action="store_true", help="start from random weights")
    arguments.add_argument("--release", action="store_true", help="do not train: make the pack's file from the checkpoint")
    options = vars(arguments.parse_args())
    if options.pop("release"):
        release()
    else:
        train(Settings(**options))


if __name__ == "__main__":
    main()
