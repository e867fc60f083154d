"""Traces as files: everything comes back, a large one is small enough, what is no trace is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from events import COND, UNCOND
from safetensors.numpy import save_file

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Site, Step
from pack.py.core.latent import Iteration
from pack.py.core.trace import Record, Trace
from pack.py.records import trace_file

FACTS = {"sampler": "sample_euler", "seed": 7, "cfg": 4.5, "techniques": ["STH(tau=1.0)"]}


def record(step, block, branch, values, kind="self", frames=None, sample=0):
    when = Step(step, 50, 1 - step / 50, step / 50, 1 - step / 50)
    return Record(when, Site(block, 40, kind), branch, sample, frames, values)


def mixed():
    """Records of several shapes, kinds, windows and samples, some without some values."""
    random = np.random.default_rng(0)
    records = []
    for step in range(3):
        for block in (0, 7, 39):
            for branch in (COND, UNCOND):
                heads, frames = 2 + block % 2, 5 if step < 2 else 4
                values = {"h_row": random.random(heads, np.float32), "frames": random.random((frames, frames), np.float32)}
                if branch is COND:
                    values["gamma"] = random.random((), np.float32)
                records.append(record(step, block, branch, values, "joint" if block else "self", (3, 4, 5, 6), sample=step))
    records.append(record(3, 1, COND, {"entropy": np.array([0.1, np.nan], np.float32)}, "cross"))
    values = {"loss": np.array([0.25, np.nan], np.float32), "correlation": np.array([[0.5, 1.5]], np.float32)}
    iterations = (Iteration(records[0].step, 2, 10, ("red circle", "dog"), values, (True, False)),)
    return Trace("Tiny", 40, records, ("STH acted on 3 calls",), iterations, FACTS)


def same(one, other):
    facts = [(r.step, r.site, r.branch, r.sample, r.frames, set(r.values)) for r in one.records]
    assert facts == [(r.step, r.site, r.branch, r.sample, r.frames, set(r.values)) for r in other.records]
    for a, b in zip(one.records, other.records, strict=True):
        for name in a.values:
            assert a.values[name].dtype == b.values[name].dtype and a.values[name].shape == b.values[name].shape
            np.testing.assert_array_equal(a.values[name], b.values[name])
    for name in ("family", "blocks", "report", "facts"):
        assert getattr(one, name) == getattr(other, name), name
    for a, b in zip(one.iterations, other.iterations, strict=True):
        for name in ("step", "number", "most", "phrases", "running"):
            assert getattr(a, name) == getattr(b, name), name
        for name in {*a.values, *b.values}:
            np.testing.assert_array_equal(a.values[name], b.values[name], strict=True)


@pytest.mark.parametrize(
    "trace", [mixed(), Trace("Tiny", 2), replace(mixed(), facts={}, report=(), iterations=())], ids=["mixed", "empty", "bare"]
)
def test_a_saved_trace_comes_back(tmp_path, trace):
    path = tmp_path / "folder" / "my run.safetensors"
    trace_file.save(trace, path)
    same(trace, trace_file.load(path))
    assert [p.name for p in path.parent.iterdir()] == [path.name], "nothing else is left in the folder"


def test_a_trace_of_a_large_model_is_below_50_mb_in_memory_and_on_disk(tmp_path):
    """40 blocks x 50 steps x 40 heads x 2 branches, 21 latent frames; all that is recorded, before and after an edit."""
    random = np.random.default_rng(0)
    pool = random.random(2**21, np.float32)

    def some(*shape):
        start = random.integers(0, 2**20)
        return pool[start : start + int(np.prod(shape))].reshape(shape)

    def values():
        measured = {"h_row": some(40), "spectrum": some(40, 21), "frames": some(21, 21)}
        after = {f"after.{name}": value + 1 for name, value in measured.items()}
        return measured | after | {"gamma": some(), "tau_eff": some(), "entropy": some(40), "energy": some(3)}

    cross = {"entropy": some(40), "energy": some(3)}
    calls = [(s, b, branch) for s in range(50) for b in range(40) for branch in (COND, UNCOND)]
    records = [record(*call, values()) for call in calls] + [record(*call, cross, "cross") for call in calls]
    trace = Trace("Wan", 40, records)
    path = tmp_path / "large.safetensors"
    trace_file.save(trace, path)
    assert trace.nbytes < 50e6 and path.stat().st_size < 50e6
    same(trace, trace_file.load(path))


def test_facts_that_are_no_json_are_kept_as_text(tmp_path):
    path = tmp_path / "a.safetensors"
    trace_file.save(Trace("Tiny", 1, facts={"cfg": np.float64(3), "odd": {1}}), path)
    assert trace_file.load(path).facts == {"cfg": 3.0, "odd": "{1}"}


def rewritten(path, change=lambda facts: None, arrays=None):
    """A good file with other facts, or without some arrays."""
    trace_file.save(mixed(), path)
    facts, whole = trace_file.FORMAT.load(path)
    change(facts)
    kept = {name: array for name, array in whole.items() if name not in (arrays or ())}
    save_file(kept, path, {trace_file.FORMAT.key: json.dumps({"version": 1, **facts})})


def damaged(path, kind):
    trace_file.save(mixed(), path)
    whole = path.read_bytes()
    {
        "empty": lambda: path.write_bytes(b""),
        "cut off": lambda: path.write_bytes(whole[:-100]),
        "noise": lambda: path.write_bytes(bytes(range(256)) * 8),
        "a LoRA": lambda: save_file({"lora_up.weight": np.ones((4, 4), np.float32)}, path),
        "other metadata": lambda: save_file({"a": np.ones(1)}, path, {"temporal_attention_massive_profile": "{}"}),
        "no JSON": lambda: save_file({"a": np.ones(1)}, path, {trace_file.FORMAT.key: "{"}),
        "a list": lambda: save_file({"a": np.ones(1)}, path, {trace_file.FORMAT.key: "[]"}),
        "no records": lambda: rewritten(path, arrays=["records"]),
        "a value missing": lambda: rewritten(path, arrays=["values.0"]),
        "no steps": lambda: rewritten(path, lambda facts: facts["steps"].clear()),
        "another step": lambda: rewritten(path, lambda facts: facts["steps"][0].pop("sigma")),
        "blocks no number": lambda: rewritten(path, lambda facts: facts.update(blocks="many")),
        "block outside": lambda: rewritten(path, lambda facts: facts.update(blocks=3)),
    }[kind]()


KINDS = (
    "empty",
    "cut off",
    "noise",
    "a LoRA",
    "other metadata",
    "no JSON",
    "a list",
    "no records",
    "a value missing",
    "no steps",
)
KINDS += ("another step", "blocks no number", "block outside")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_and_foreign_files_are_refused(tmp_path, kind):
    path = tmp_path / "mine.safetensors"
    damaged(path, kind)
    with pytest.raises(TemporalAttentionError, match="mine.safetensors, which is damaged or something else"):
        trace_file.load(path)


def test_a_file_of_a_later_version_says_so(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file({"a": np.ones(1)}, path, {trace_file.FORMAT.key: json.dumps({"version": 2, "colour": 1})})
    with pytest.raises(TemporalAttentionError, match="version 1 or earlier.*mine.safetensors of version 2.*update the pack"):
        trace_file.load(path)
