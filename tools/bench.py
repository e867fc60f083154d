"""What the nodes cost: sampling time with and without them, interleaved in one process; the ratio's median and quartiles.

The network is a random Wan of 8 blocks, 512 wide, on 9 frames x 256 tokens, cond and uncond in one batch. Beside
the ratio stands the share of the run that was spent inside the hooks of the node: on a CPU it is far less noisy.
With one thread (OMP_NUM_THREADS=1) processor time is measured, which what else the machine does hardly changes. `no node, again`
says what a ratio is worth.
"""

import argparse
import json
import random
import statistics
import sys
import time

import torch

from tools import inside_host  # noqa: F401  isort: skip  (before every comfy import)

import comfy.ldm.wan.model
import comfy.model_management
import comfy.ops
import comfy.sample
import comfy.sd

from pack.py.core.frame_text import KeyMark
from pack.py.core.intervention import Where, Window
from pack.py.host.attach import attach
from pack.py.host.key_texts import KEY
from pack.py.prompts.key_places import Placement
from pack.py.prompts.key_prompts import KeyPrompt
from pack.py.techniques.entropy_guidance import EntropyGuidance
from pack.py.techniques.estimator import NAMES, Estimator
from pack.py.techniques.massive_record import MassiveActivationRecorder
from pack.py.techniques.pattern import SQUARE
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.stas import StructuredActivationSteering
from pack.py.techniques.sth import SpectralTransportHomeostasis
from pack.py.techniques.tar import TemporalAttentionRegularization
from pack.py.techniques.vsp import VideoSynopsisPrompting

DIM, HEADS, BLOCKS, TEXT, WORDS, KEY_PROMPTS = 512, 4, 8, 64, 32, 8
LATENT = (1, 16, 9, 32, 32)
VSP = f"VSP, {KEY_PROMPTS} key prompts"
STAS = StructuredActivationSteering(channels=(100,), where=Where(blocks=frozenset({2})), window=Window(0.0, 1.0))
METADATA = {"config": json.dumps({"transformer": {"num_heads": HEADS, "text_dim": TEXT}})}


def network():
    """The random network, loaded natively."""
    torch.manual_seed(0)
    empty = comfy.ldm.wan.model.WanModel(
        dim=DIM, ffn_dim=4 * DIM, num_heads=HEADS, num_layers=BLOCKS, text_dim=TEXT, in_dim=16, out_dim=16, device="cpu",
        dtype=torch.float32, operations=comfy.ops.disable_weight_init,
    )  # fmt: skip
    weights = {name: torch.randn(value.shape) * value.shape[-1] ** -0.5 for name, value in empty.state_dict().items()}
    return comfy.sd.load_diffusion_model_state_dict(weights, model_options={"dtype": torch.float32}, metadata=METADATA)


def candidates(model) -> dict[str, object]:
    """What is measured, by name; the first is the reference."""
    always = {"layer_weight": "flat", "step_weight": "flat"}
    found = {"no node": model, "no node, again": model}
    for name in NAMES:
        found[f"STH, {name}"] = attach(model, SpectralTransportHomeostasis(estimator=Estimator(name), **always))
    found["TAR"] = attach(model, TemporalAttentionRegularization())
    found["TAR, sigma of 1 frame"] = attach(model, TemporalAttentionRegularization(sigma=1.0, sigma_unit="latent frames"))
    found["TAR as a dense mask"] = attach(model, DenseBand())
    found["STAS, one channel of one block"] = attach(model, STAS)
    found[VSP] = attach(model, VideoSynopsisPrompting())
    for name, block in {"first": 0, "middle": BLOCKS // 2, "last": BLOCKS - 1}.items():
        found[f"Entropy Guidance, {name} block"] = attach(model, EntropyGuidance(block=block))
    found["Entropy Guidance, nothing shared"] = attach(model, NothingShared(block=BLOCKS - 1))
    found["Entropy Guidance, while it measures"] = attach(model, EntropyGuidance())
    found["recording, same_position"] = attach(model, FrameAttentionRecorder())
    every_kind = Where(kinds=SQUARE | {"cross"})
    found["recording, and entropies"] = attach(model, FrameAttentionRecorder(entropy_rows=64, where=every_kind))
    found["recording massive activations"] = attach(model, MassiveActivationRecorder())
    found["STH and recording, same_position"] = attach(model, SpectralTransportHomeostasis(**always), FrameAttentionRecorder())
    return found


class DenseBand(TemporalAttentionRegularization):
    """The same band multiplied out to a mask over all pairs of tokens, as one would do it without the pack."""

    def before(self, call):
        (bias,) = super().before(call).low_rank
        return call.edit(bias=bias.queries @ bias.keys.mT)


class NothingShared(EntropyGuidance):
    """The same with a whole network call for the extra prediction, as PAG, SLG and STG have it."""

    def asks(self, forward):
        return None


def clock() -> float:
    """Processor time where there is one thread, so that what else the machine does matters little."""
    return time.thread_time() if torch.get_num_threads() == 1 else time.perf_counter()


class Inside:
    """Adds up the time spent in the hooks of interventions."""

    spent = 0.0

    @classmethod
    def watch(cls, *techniques: type) -> None:
        """Times every hook of these classes from now on."""
        for technique in techniques:
            for hook in ("before", "after", "block", "seen", "block_seen", "digest"):
                if callable(vars(technique).get(hook)):
                    setattr(technique, hook, cls.timed(getattr(technique, hook)))

    @classmethod
    def timed(cls, hook):
        """The hook with its time added to `spent`."""

        def run(*arguments):
            started = clock()
            try:
                return hook(*arguments)
            finally:
                cls.spent += clock() - started

        return run


def text(seed: int = 1, **options) -> list:
    """A conditioning of random words."""
    return [[torch.randn(1, WORDS, TEXT, generator=torch.manual_seed(seed)), options]]


def synopsis() -> list:
    """Key prompts spread over the video."""
    placement = Placement((KeyPrompt("a"),) * KEY_PROMPTS, compression=4, fps=16.0)
    marks = [KeyMark(placement, i, KEY_PROMPTS) for i in range(KEY_PROMPTS)]
    return [cond for i, mark in enumerate(marks) for cond in text(i, **{KEY: mark})]


def seconds(model, steps: int, positive: list) -> tuple[float, float]:
    """Seconds of one sampling run, and how many of them were spent inside hooks."""
    empty = torch.zeros(LATENT)
    noise = comfy.sample.prepare_noise(empty, 0)
    Inside.spent, started = 0.0, clock()
    with torch.inference_mode():
        comfy.sample.sample(model, noise, steps, 4.0, "euler", "simple", positive, text(), empty, disable_pbar=True, seed=0)
    return clock() - started, Inside.spent


def report(times: dict[str, list[tuple[float, float]]]) -> str:
    """A table: the ratio to the reference within each round and the share inside hooks, median (lower to upper quartile)."""
    reference, *others = times
    base = [whole for whole, _ in times[reference]]
    lines = [f"{reference:34s} {statistics.median(base):.2f} s"]
    for name in others:
        ratio = _quartiles([whole / b for (whole, _), b in zip(times[name], base, strict=True)])
        inside = _quartiles([100 * inside / whole for whole, inside in times[name]])
        lines.append(f"{name:34s} x {ratio}   {inside} % inside")
    return "\n".join(lines)


def _quartiles(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    arguments = argparse.ArgumentParser("dev.py bench --", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15, help="each round runs every candidate once, in another order")
    arguments.add_argument("--steps", type=int, default=1)
    arguments.add_argument("--only", nargs="+", default=[""], help="candidates whose names contain one of these")
    options = arguments.parse_args()
    Inside.watch(SpectralTransportHomeostasis, StructuredActivationSteering, FrameAttentionRecorder, MassiveActivationRecorder)
    Inside.watch(TemporalAttentionRegularization, EntropyGuidance)
    found = candidates(network())
    models = {name: m for i, (name, m) in enumerate(found.items()) if i < 2 or any(part in name for part in options.only)}
    prompts = {name: synopsis() if name == VSP else text() for name in models}
    for name, model in models.items():
        seconds(model, 1, prompts[name])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for done in range(options.rounds):
        for name, model in random.Random(done).sample(sorted(models.items()), len(models)):
            times[name].append(seconds(model, options.steps, prompts[name]))
        print(f"round {done + 1} of {options.rounds}", file=sys.stderr, flush=True)
    device = comfy.model_management.get_torch_device_name(comfy.model_management.get_torch_device())
    print(f"{device}, {torch.get_num_threads()} threads, {options.rounds} rounds of {options.steps} steps\n{report(times)}")


if __name__ == "__main__":
    main()
