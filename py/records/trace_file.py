"""Traces as files: records of equal shape in one array, so that a run of thousands of calls is a few tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from ..core.events import Branch, Site, Step
from ..core.latent import Iteration
from ..core.trace import Record, Trace
from .files import BROKEN, Format

FORMAT = Format("temporal_attention_trace", 1, "a trace", "Run the sampler again and save its trace.")
ROWS, VALUES = "rows.", "values."
BRANCHES = tuple(Branch)


def save(trace: Trace, path: Path) -> None:
    """Writes the file, replacing one of that name only once the new one is complete."""
    steps, sites, frames = (_distinct(getattr(r, part) for r in trace.records) for part in ("step", "site", "frames"))
    index = [(steps[r.step], sites[r.site], BRANCHES.index(r.branch), r.sample, frames[r.frames]) for r in trace.records]
    names, arrays = _stacked(trace.records)
    facts = {
        "family": trace.family,
        "blocks": trace.blocks,
        "report": trace.report,
        "iterations": [_as_json(iteration) for iteration in trace.iterations],
        "facts": dict(trace.facts),
        "steps": [asdict(step) for step in steps],
        "sites": [asdict(site) for site in sites],
        "frames": list(frames),
        "names": names,
    }
    FORMAT.save(path, facts, {"records": np.array(index, np.int32).reshape(-1, 5), **arrays})


def load(path: Path) -> Trace:
    """Reads a file. Raises TemporalAttentionError where it is damaged, no trace, or from a later version."""
    facts, arrays = FORMAT.load(path)
    try:
        return _restored(facts, arrays)
    except BROKEN as error:
        raise FORMAT.refusal(path, error) from error


def _restored(facts: dict, arrays: dict[str, np.ndarray]) -> Trace:
    values: list[dict[str, np.ndarray]] = [{} for _ in arrays["records"]]
    for i, name in enumerate(facts["names"]):
        for row, value in zip(arrays[f"{ROWS}{i}"].tolist(), arrays[f"{VALUES}{i}"], strict=True):
            values[row][name] = value
    steps = [Step(**step) for step in facts["steps"]]
    sites = [Site(**site) for site in facts["sites"]]
    frames = [None if f is None else tuple(map(int, f)) for f in facts["frames"]]
    records = [
        Record(steps[step], sites[site], BRANCHES[branch], sample, frames[window], found)
        for (step, site, branch, sample, window), found in zip(arrays["records"].tolist(), values, strict=True)
    ]
    if any(site.block >= int(facts["blocks"]) for site in sites):
        raise ValueError("a block outside the network")
    iterations = tuple(map(_iteration, facts["iterations"]))
    return Trace(
        str(facts["family"]),
        int(facts["blocks"]),
        records,
        report=tuple(facts["report"]),
        iterations=iterations,
        facts=dict(facts["facts"]),
    )


def _as_json(iteration: Iteration) -> dict[str, object]:
    values = {name: np.asarray(value).tolist() for name, value in iteration.values.items()}
    plain = {f.name: getattr(iteration, f.name) for f in fields(iteration) if f.name != "words"}
    return {**plain, "step": asdict(iteration.step), "values": values}


def _iteration(saved: dict) -> Iteration:
    values = {name: np.asarray(value, np.float32) for name, value in saved["values"].items()}
    return Iteration(
        Step(**saved["step"]), saved["number"], saved["most"], tuple(saved["phrases"]), values, tuple(saved["running"])
    )


def _stacked(records: list[Record]) -> tuple[list[str], dict[str, np.ndarray]]:
    """The name of each stack, and the stacks: all values of one name and shape, with the numbers of their records."""
    rows: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for i, record in enumerate(records):
        for name, value in record.values.items():
            rows.setdefault((name, value.shape), []).append(i)
    arrays = {}
    for i, ((name, _), found) in enumerate(rows.items()):
        arrays[f"{ROWS}{i}"] = np.array(found, np.int32)
        arrays[f"{VALUES}{i}"] = np.stack([records[row].values[name] for row in found])
    return [name for name, _ in rows], arrays


def _distinct(values: Iterable) -> dict[object, int]:
    """value -> its number, in order of appearance."""
    return {value: i for i, value in enumerate(dict.fromkeys(values))}
