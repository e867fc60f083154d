"""What the nodes cost: sampling time with and without them, interleaved in one process; the ratio's median and quartiles.

The network is a random Wan of 8 blocks, 512 wide, on 9 frames x 256 tokens, cond and uncond in one batch. On a CPU the
processor time is given too: unlike the time on the clock it does not count what other programs take.
"""

import argparse
import json
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

from pack.py.host.attach import attach
from pack.py.techniques.estimator import NAMES, Estimator
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.sth import SpectralTransportHomeostasis

DIM, HEADS, BLOCKS, TEXT, WORDS = 512, 4, 8, 64, 32
LATENT = (1, 16, 9, 32, 32)
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
    found = {"no node": model}
    for name in NAMES:
        found[f"STH, {name}"] = attach(model, SpectralTransportHomeostasis(estimator=Estimator(name), **always))
    found["recording, same_position"] = attach(model, FrameAttentionRecorder())
    found["STH and recording, same_position"] = attach(model, SpectralTransportHomeostasis(**always), FrameAttentionRecorder())
    return found


def seconds(model, steps: int) -> tuple[float, float]:
    """Time on the clock and processor time of one sampling run."""
    text = [[torch.randn(1, WORDS, TEXT, generator=torch.manual_seed(1)), {}]]
    empty = torch.zeros(LATENT)
    noise = comfy.sample.prepare_noise(empty, 0)
    started = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        comfy.sample.sample(model, noise, steps, 4.0, "euler", "simple", text, text, empty, disable_pbar=True, seed=0)
    return time.perf_counter() - started[0], time.process_time() - started[1]


def report(times: dict[str, list[tuple[float, float]]]) -> str:
    """A table: for both clocks the ratio to the reference within each round: median (lower to upper quartile)."""
    reference, *others = times
    clock, processor = (statistics.median(t[i] for t in times[reference]) for i in (0, 1))
    lines = [f"{reference:34s} {clock:8.2f} s on the clock   {processor:8.2f} s of processor"]
    for name in others:
        columns = [_ratios([t[i] for t in times[name]], [t[i] for t in times[reference]]) for i in (0, 1)]
        lines.append(f"{name:34s} {columns[0]}   {columns[1]}")
    return "\n".join(lines)


def _ratios(own: list[float], base: list[float]) -> str:
    low, middle, high = statistics.quantiles([a / b for a, b in zip(own, base, strict=True)], n=4, method="inclusive")
    return f"x {middle:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    arguments = argparse.ArgumentParser("dev.py bench --", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15, help="each round runs every candidate once")
    arguments.add_argument("--steps", type=int, default=1)
    options = arguments.parse_args()
    models = candidates(network())
    for model in models.values():
        seconds(model, 1)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for done in range(options.rounds):
        for name, model in models.items():
            times[name].append(seconds(model, options.steps))
        print(f"round {done + 1} of {options.rounds}", file=sys.stderr, flush=True)
    device = comfy.model_management.get_torch_device_name(comfy.model_management.get_torch_device())
    print(f"{device}, {torch.get_num_threads()} threads, {options.rounds} rounds of {options.steps} steps\n{report(times)}")


if __name__ == "__main__":
    main()
