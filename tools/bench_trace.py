"""What the trace of a large model takes, and how long every picture of it: 40 blocks x 50 steps x 40 heads x cond and uncond.

Random numbers in the places of measured ones, before and after an edit, with the entropies of self- and cross-attention.
Processor time, so that what else the machine does matters little.
"""

import argparse
import gc
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools import inside_host  # noqa: F401  isort: skip  (makes `pack` importable)

from pack.py.core.events import Branch, Site, Step
from pack.py.core.trace import Record, Trace
from pack.py.measures.tension_statistics import ACTIVE, statistics
from pack.py.records import trace_file
from pack.py.records.entropy_profile import profiles_of
from pack.py.records.trace_set import trace_set
from pack.py.views.entropy_charts import entropy_bars, entropy_over_steps
from pack.py.views.heatmap import layer_step_heatmap
from pack.py.views.matrices import frame_matrices
from pack.py.views.matrix_cells import matrix_cells
from pack.py.views.matrix_film import frame_matrix_film
from pack.py.views.quantities import QUANTITIES
from pack.py.views.report import trace_report
from pack.py.views.tension.common import Look
from pack.py.views.tension.d_schedule import schedule
from pack.py.views.tension.plots import PLOTS

BLOCKS, STEPS, HEADS, FRAMES = 40, 50, 40, 21
MEGA = 1e6


def measured(random: np.random.Generator, prefix: str = "") -> dict[str, np.ndarray]:
    """What the recorder keeps of one call."""
    spectrum = np.sort(random.dirichlet(np.ones(FRAMES), HEADS)).astype(np.float32)
    frames = random.dirichlet(np.ones(FRAMES), FRAMES).astype(np.float32)
    values = {"h_row": random.random(HEADS, np.float32), "spectrum": spectrum, "frames": frames}
    return {f"{prefix}{name}": value for name, value in values.items()}


def large(seed: int) -> Trace:
    """All calls of a run."""
    random, records = np.random.default_rng(seed), []
    for index in range(STEPS):
        step = Step(index, STEPS, 1 - index / STEPS, index / STEPS, 1 - index / STEPS)
        for block in range(BLOCKS):
            for branch in Branch:
                entropy = {"entropy": random.random(HEADS, np.float32), "energy": 1 + random.random(3, np.float32)}
                gamma = {"gamma": np.float32(1 + 0.2 * random.standard_normal()) * np.ones((), np.float32)}
                values = {**measured(random), **measured(random, "after."), **gamma, "tau_eff": gamma["gamma"], **entropy}
                records.append(Record(step, Site(block, BLOCKS, "self"), branch, 0, None, values))
                records.append(Record(step, Site(block, BLOCKS, "cross", "text"), branch, 0, None, dict(entropy)))
    return Trace("Wan", BLOCKS, records)


def pictures(trace: Trace, baseline: Trace) -> dict[str, Callable[[], object]]:
    """Everything that is drawn or counted from it, as the nodes do."""
    own = trace.holding("h_row")

    def both():
        return trace_set(own, baseline.holding("h_row"), "video")

    found = {f"Tension Heatmap, {q}": lambda q=q: layer_step_heatmap(own, q, None) for q in QUANTITIES}
    found |= {f"Tension Plots, {name}": lambda draw=draw: draw(both(), Look()) for name, draw in PLOTS.items()}
    found["Tension Dashboard"] = lambda: schedule(both(), Look())
    found["Tension Statistics"] = lambda: statistics(both())
    found["Frame Attention"] = lambda: frame_matrices(matrix_cells(own, None, None, None, True), "Frame attention")
    found["Frame Attention, film, a picture"] = lambda: frame_matrix_film(matrix_cells(own, None, {0}, None, True), "Film")
    found["Entropy Profile, bars"] = lambda: entropy_bars(profiles_of(trace), "Wan")
    found["Entropy Profile, over steps"] = lambda: entropy_over_steps(trace, None, "Wan")
    found["Trace Info"] = lambda: trace_report(trace, ACTIVE)
    return found


def seconds(run: Callable[[], object]) -> float:
    """Processor time of one call."""
    started = time.process_time()
    run()
    return time.process_time() - started


def main() -> None:
    argparse.ArgumentParser("dev.py bench-trace --", description=__doc__).parse_args()
    layer_step_heatmap(large(0), "gamma", None)  # the first picture also imports matplotlib
    tracemalloc.start()
    trace = large(0)
    gc.collect()
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    baseline = large(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.safetensors"
        saving = seconds(lambda: trace_file.save(trace, path))
        loading = seconds(lambda: trace_file.load(path))
        print(f"in memory {memory / MEGA:.1f} MB, of which arrays {trace.nbytes / MEGA:.1f} MB")
        print(f"on disk {path.stat().st_size / MEGA:.1f} MB; saved in {saving:.2f} s, loaded in {loading:.2f} s", flush=True)
    times = {}
    for name, draw in pictures(trace, baseline).items():
        times[name] = seconds(draw)
        print(f"{times[name]:6.2f} s  {name}", flush=True)
    slowest = max(times, key=times.get)
    print(f"slowest: {slowest}, {times[slowest]:.2f} s")


if __name__ == "__main__":
    main()
