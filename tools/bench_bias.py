"""What a band between frames costs: every exact way to add it, beside plain attention and a dense mask; time and memory.

Interleaved in one process; the ratio to plain attention within each round, median and quartiles. On a CPU it is processor
time of one thread, so that what else the machine does matters little; on a GPU time between events. At the size of Wan:
dev.py bench-bias -- --device cuda --dtype bfloat16 --sizes 21x1560x12x128
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tools import inside_host  # noqa: F401  isort: skip  (makes `pack` importable)

from tools.bias_routes import ON_CUDA, ROUTES, Problem

SIZES = "9x64x1x128 9x256x4x128 21x64x8x64 21x128x1x128 21x256x1x128 9x512x8x64"
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
NO_ATTENTION = "row maximum, estimated"


def seconds(run: Callable[[], object], device: str) -> float:
    """Processor time on a CPU; time between two events on a GPU."""
    if device == "cpu":
        started = time.thread_time()
        run()
        return time.thread_time() - started
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000


def peak(run: Callable[[], object], device: str) -> float:
    """Bytes that it needs at most beside what was there before (on Linux, or on a GPU)."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    CLEAR.write_text("5")
    before = _status("VmRSS")
    run()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


def compare(problem: Problem, routes: dict[str, Callable], rounds: int) -> str:
    """A table of ratios to plain attention."""
    wanted = routes["dense mask"](problem).float()
    times: dict[str, list[float]] = {name: [] for name in routes}
    memory, errors = {}, {}
    for name, route in routes.items():
        errors[name] = float((route(problem).float() - wanted).abs().max()) if name != NO_ATTENTION else 0.0
        memory[name] = peak(lambda route=route: route(problem), problem.device)
    for _ in range(rounds):
        for name, route in routes.items():
            times[name].append(seconds(lambda route=route: route(problem), problem.device))
    reference, *others = routes
    q = problem.qkv[0]
    lines = [f"{reference:34s} {1e3 * statistics.median(times[reference]):8.1f} ms, {memory[reference] / q.nbytes:5.1f} x q"]
    for name in others:
        ratios = [a / b for a, b in zip(times[name], times[reference], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        said = "" if name == NO_ATTENTION else f"   off by {errors[name]:.0e}"
        lines.append(f"{name:34s} x {middle:.3f} ({low:.3f} to {high:.3f}), {memory[name] / q.nbytes:5.1f} x q{said}")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser("dev.py bench-bias --", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--sizes", default=SIZES, help="frames x tokens of a frame x heads x width of a head")
    arguments.add_argument("--sigma", type=float, default=0.5, help="of the band, as a share of the frames")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--dtype", default="float32", choices=("float32", "float16", "bfloat16"))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    routes = {**ROUTES, **(ON_CUDA if options.device != "cpu" else {})}
    for size in options.sizes.split():
        frames, spatial, heads, width = map(int, size.split("x"))
        problem = Problem(frames, spatial, heads, width, options.sigma * frames, getattr(torch, options.dtype), options.device)
        print(f"\n{frames} frames x {spatial} tokens, {heads} heads of {width}", flush=True)
        with torch.inference_mode():
            print(compare(problem, routes, options.rounds), flush=True)
    print(f"\n{options.dtype} on {options.device}, torch {torch.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
