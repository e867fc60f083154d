"""What the nodes cost: sampling time with and without them, interleaved in one process; the ratio's median and quartiles.

The network is a random Wan of 8 blocks, 512 wide, on 9 frames x 256 tokens, cond and uncond in one batch; with `--network svd` a
random SVD of 3 levels, 128 to 512 wide, on 14 frames of 32 x 32, for what acts on attention over time alone. Beside the ratio
stands the share of the run that was spent inside the hooks of the node: on a CPU it is far less noisy. With one thread
(OMP_NUM_THREADS=1) processor time is measured, which what else the machine does hardly changes. `no node, again` says what a
ratio is worth.
"""

import argparse
import random
import statistics
import sys
import time

import torch

from tools import inside_host  # noqa: F401  isort: skip  (before every comfy import)

import comfy.model_management
import comfy.sample

from pack.py.core.intervention import Where, Window
from pack.py.host.attach import attach
from pack.py.techniques.entropy_guidance import EntropyGuidance
from pack.py.techniques.estimator import NAMES, Estimator
from pack.py.techniques.massive_record import MassiveActivationRecorder
from pack.py.techniques.pattern import SQUARE
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.stas import StructuredActivationSteering
from pack.py.techniques.sth import SpectralTransportHomeostasis
from pack.py.techniques.tar import TemporalAttentionRegularization
from pack.py.techniques.tar_presets import PAPER, PRESETS
from pack.py.techniques.vsp import VideoSynopsisPrompting
from tools.bench_networks import BLOCKS, KEY_PROMPTS, SVD, WAN, Subject

VSP = f"VSP, {KEY_PROMPTS} key prompts"
STAS = StructuredActivationSteering(channels=(100,), where=Where(blocks=frozenset({2})), window=Window(0.0, 1.0))


def on_wan(model) -> dict[str, object]:
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


def on_svd(model) -> dict[str, object]:
    """The same for attention over time alone."""
    found = {"no node": model, "no node, again": model}
    for preset in (PAPER, "all levels"):
        found[f"TAR, {preset}"] = attach(model, TemporalAttentionRegularization(**vars(PRESETS[preset])))
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


def seconds(model, steps: int, subject: Subject, positive: list) -> tuple[float, float]:
    """Seconds of one sampling run, and how many of them were spent inside hooks."""
    empty, negative = torch.zeros(subject.latent), subject.conditioning()
    noise = comfy.sample.prepare_noise(empty, 0)
    Inside.spent, started = 0.0, clock()
    with torch.inference_mode():
        comfy.sample.sample(model, noise, steps, 4.0, "euler", "simple", positive, negative, empty, disable_pbar=True, seed=0)
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
    arguments.add_argument("--network", choices=("wan", "svd"), default="wan", help="wan: every node; svd: TAR over time alone")
    options = arguments.parse_args()
    subject, candidates = (SVD, on_svd) if options.network == "svd" else (WAN, on_wan)
    Inside.watch(SpectralTransportHomeostasis, StructuredActivationSteering, FrameAttentionRecorder, MassiveActivationRecorder)
    Inside.watch(TemporalAttentionRegularization, EntropyGuidance)
    found = candidates(subject.load())
    models = {name: m for i, (name, m) in enumerate(found.items()) if i < 2 or any(part in name for part in options.only)}
    prompts = {name: subject.synopsis() if name == VSP else subject.conditioning() for name in models}
    for name, model in models.items():
        seconds(model, 1, subject, prompts[name])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for done in range(options.rounds):
        for name, model in random.Random(done).sample(sorted(models.items()), len(models)):
            times[name].append(seconds(model, options.steps, subject, prompts[name]))
        print(f"round {done + 1} of {options.rounds}", file=sys.stderr, flush=True)
    device = comfy.model_management.get_torch_device_name(comfy.model_management.get_torch_device())
    print(f"{device}, {torch.get_num_threads()} threads, {options.rounds} rounds of {options.steps} steps\n{report(times)}")


if __name__ == "__main__":
    main()
