"""What a gradient with respect to the latent costs: peak memory and time, against one plain forward and two simpler ways.

Random Wan networks of growing size, one prompt, a tap on the text's attention in every block. Memory is what the allocator
handed out at its peak on top of the loaded weights; time is CPU time of one thread (wall time on a GPU), the runs interleaved.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate

import torch

from tools import inside_host  # noqa: F401  isort: skip  (before every comfy import)

import comfy.ldm.wan.model
import comfy.ops
import comfy.sample
import comfy.samplers
import comfy.sd
from torch import nn

from pack.py.core.attention import Attention
from pack.py.core.events import Note
from pack.py.core.intervention import Observer, Where
from pack.py.host.attach import attach
from pack.py.host.gradients import latent
from pack.py.host.gradients.memory import peak_bytes
from pack.py.host.sampling import Sampling
from pack.py.maths import word_columns
from pack.py.maths.word_columns import softmax_columns

TEXT, WORDS = 64, 512


@dataclass(frozen=True)
class Size:
    """A Wan network and a video: width, heads, blocks, width of the MLP, and the video's tokens (t, h, w)."""

    dim: int
    heads: int
    blocks: int
    ffn: int
    grid: tuple[int, int, int]

    @property
    def tokens(self) -> int:
        """Video tokens."""
        return self.grid[0] * self.grid[1] * self.grid[2]


SIZES = {
    "small": Size(256, 2, 6, 1536, (5, 16, 16)),
    "medium": Size(512, 4, 8, 3072, (9, 16, 16)),
    "large": Size(768, 6, 10, 4608, (9, 20, 26)),
    "wan-1.3b": Size(1536, 12, 30, 8960, (21, 30, 52)),
}
WAN_ELEMENTS = SIZES["wan-1.3b"].tokens * SIZES["wan-1.3b"].dim
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class Tap(Observer):
    """One word's column in the video rows of every text attention, averaged over heads."""

    where: Where = field(default_factory=lambda: Where(frozenset({"cross"})))

    def seen(self, call: Attention, edited: Attention) -> list[Note]:
        columns = softmax_columns(edited.q, edited.k, (1,), edited.scale, edited.bias)
        return [Note("column", call.rows, columns.mean(1))]


def network(size: Size, dtype: torch.dtype):
    """A random one, loaded natively."""
    torch.manual_seed(0)
    with torch.device("meta"):
        empty = comfy.ldm.wan.model.WanModel(
            dim=size.dim, ffn_dim=size.ffn, num_heads=size.heads, num_layers=size.blocks, text_dim=TEXT, in_dim=16, out_dim=16,
            operations=comfy.ops.disable_weight_init,
        )  # fmt: skip
    weights = {name: (torch.randn(value.shape) * value.shape[-1] ** -0.5).to(dtype) for name, value in empty.state_dict().items()}
    metadata = {"config": json.dumps({"transformer": {"num_heads": size.heads, "text_dim": TEXT}})}
    model = comfy.sd.load_diffusion_model_state_dict(weights, model_options={"dtype": dtype}, metadata=metadata)
    model.set_model_compute_dtype(dtype)  # on a CPU the host would compute in float32
    return model


@contextmanager
def patched(**replacements):
    """The module of the evaluation with some of its parts replaced."""
    before = {name: getattr(latent, name) for name in replacements}
    vars(latent).update(replacements)
    try:
        yield
    finally:
        vars(latent).update(before)


@contextmanager
def copied_weights(network: nn.Module):
    """In place of Functions for the layers: a copy of every weight."""
    stores = [module._parameters for module in network.modules()]
    held = [(store, name, value) for store in stores for name, value in store.items()]
    for store, name, value in held:
        store[name] = None if value is None else nn.Parameter(value.detach().clone(), requires_grad=False)
    try:
        yield
    finally:
        for store, name, value in held:
            store[name] = value


WAYS = {
    "one graph, copied weights": (
        lambda: patched(Checkpointed=lambda block, *_: block, differentiable_weights=copied_weights),
        False,
    ),
    "checkpoints, copied weights": (lambda: patched(differentiable_weights=copied_weights), False),
    "ours": (nullcontext, False),
    "ours, attention kept": (nullcontext, True),
}


Runs = dict[str, Callable[[], object]]


def in_a_run(size: Size, dtype: torch.dtype, ways: list[str], act: Callable[[Runs], None]) -> None:
    """Calls act({name: what runs a plain forward or a gradient}) inside a sampling run of a random network."""
    model, (frames, height, width) = network(size, dtype), size.grid
    empty = torch.zeros(1, 16, frames, 2 * height, 2 * width)
    text = [[torch.randn(1, WORDS, TEXT, generator=torch.manual_seed(1)), {}]]

    def predict_noise(sampling, executor, x, timestep, model_options, seed=None):
        inner, conds = executor.class_obj.inner_model, executor.class_obj.conds["positive"]
        without_us = {**model_options, "transformer_options": {**model_options["transformer_options"], "wrappers": {}}}

        def gradient(context, keep):
            with context():
                question = latent.Question(sampling, inner, conds, x, timestep, model_options, Tap(), loss, keep)
                return latent.latent_gradient(question)

        act(
            {
                "plain forward": lambda: comfy.samplers.calc_cond_batch(inner, [conds], x, timestep, without_us),
                **{name: partial(gradient, *WAYS[name]) for name in ways},
            }
        )
        return torch.zeros_like(x)

    Sampling.predict_noise = predict_noise
    with torch.inference_mode():
        noise = comfy.sample.prepare_noise(empty, 0)
        comfy.sample.sample(attach(model, Tap()), noise, 1, 1.0, "euler", "simple", text, text, empty, disable_pbar=True, seed=0)


def loss(calls) -> torch.Tensor:
    """Anything that depends on every row."""
    return sum(note.value.square().mean() for call in calls for note in call.notes)


def peak(run: Callable[[], object]) -> int:
    """Bytes at the allocator's peak above what was there before."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    changes = sorted((e.start_ns(), e.nbytes()) for e in profile.profiler.kineto_results.events() if e.name() == "[memory]")
    return max(accumulate(change for _, change in changes))


def seconds(run: Callable[[], object]) -> float:
    """CPU time of this thread, or wall time on a GPU."""
    if not torch.cuda.is_available():
        started = time.thread_time()
        run()
        return time.thread_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def report(name: str, size: Size, dtype: torch.dtype, rounds: int, runs: Runs) -> None:
    """One table, printed."""
    spent = {way: [] for way in runs}
    for _ in range(rounds):
        for way, run in runs.items():
            spent[way].append(seconds(run))
    print(f"\n{name}: {size}, {size.tokens} tokens, {dtype}; plain forward {statistics.median(spent['plain forward']):.2f} s")
    print("| way | peak, MB | formula, MB | time / plain forward |\n|---|---|---|---|")
    usual = word_columns.MOST_ELEMENTS
    word_columns.MOST_ELEMENTS = usual * size.tokens * size.dim // WAN_ELEMENTS  # the tap's share of memory as at Wan's size
    for way, run in runs.items():
        ratios = [a / b for a, b in zip(spent[way], spent["plain forward"], strict=True)]
        middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
        told = formula(size, dtype, WAYS[way][1]) if way.startswith("ours") else None
        shown = "" if told is None else f"{told / 2**20:.0f}"
        print(f"| {way} | {peak(run) / 2**20:.0f} | {shown} | {middle:.2f} ({low:.2f} to {high:.2f}) |", flush=True)
    word_columns.MOST_ELEMENTS = usual


def formula(size: Size, dtype: torch.dtype, keep: bool) -> int:
    """What `peak_bytes` says, without the weights."""
    return peak_bytes(size.blocks, size.tokens, size.dim, dtype.itemsize, keep)


def main() -> None:
    arguments = argparse.ArgumentParser("dev.py gradient-memory --", description=__doc__)
    arguments.add_argument("sizes", nargs="*", default=["small", "medium", "large"], help=f"any of {', '.join(SIZES)}")
    arguments.add_argument("--dtype", choices=DTYPES, default="float32")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    options = arguments.parse_args()
    dtype = DTYPES[options.dtype]
    for name in options.sizes:
        in_a_run(SIZES[name], dtype, options.ways, partial(report, name, SIZES[name], dtype, options.rounds))


if __name__ == "__main__":
    main()
