"""The run: what is flushed when, what is counted, what is reported, when it raises; and the trace it leaves."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from events import COND, STEP, UNCOND, attention, forward

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Note
from pack.py.core.intervention import Intervention, Observer, Where, Window
from pack.py.core.run import Run


@dataclass(frozen=True, kw_only=True)
class Doubler(Intervention):
    def before(self, call):
        call.note("doubled", torch.ones(len(call.rows)))
        return call.edit(q=2 * call.q)


@dataclass(frozen=True, kw_only=True)
class NormRecorder(Observer):
    name: str = "norm"

    def seen(self, call, edited):
        return [Note(self.name, call.rows, edited.q.flatten(2).norm(dim=-1))]


def run_call(run, fwd, cached=False):
    """One network call; a `cached` one is answered without running a block."""
    opened = run.open(fwd)
    if opened is None or cached:
        return None
    call = attention(fwd=fwd)
    run.entered(opened, fwd, call.site.block)
    opened.attention(call)
    return call


def only_trace(run):
    (trace,) = run.traces.values()
    return trace


def test_records_are_split_by_row_branch_and_step():
    run = Run((Doubler(branch=COND), NormRecorder()), "Tiny", 3)
    first, second = forward((UNCOND, COND)), forward((UNCOND, COND), step=replace(STEP, index=3, sigma=0.8))
    call = run_call(run, first)
    assert not only_trace(run).records, "nothing leaves the device before the step ends"
    run_call(run, second)
    assert {r.step.index for r in only_trace(run).records} == {2}
    run.close()
    assert [(r.branch, r.step.index) for r in only_trace(run).records] == [(UNCOND, 2), (COND, 2), (UNCOND, 3), (COND, 3)]
    uncond, cond = only_trace(run).records[:2]
    assert "doubled" not in uncond.values and cond.values["doubled"] == 1
    np.testing.assert_allclose(uncond.values["norm"], call.q[0].flatten(1).norm(dim=-1), rtol=1e-6)
    np.testing.assert_allclose(cond.values["norm"], 2 * call.q[1].flatten(1).norm(dim=-1), rtol=1e-6)


def test_observers_keep_separate_traces_of_one_run():
    one, two = NormRecorder(name="one"), NormRecorder(name="two")
    run = Run((one, Doubler(), two), "Tiny", 3)
    run_call(run, forward((COND,)))
    run.close()
    assert [set(run.traces[o].records[0].values) for o in (one, two)] == [{"one", "doubled"}, {"two", "doubled"}]


def test_equal_observers_record_once():
    run = Run((NormRecorder(), NormRecorder()), "Tiny", 3)
    run_call(run, forward((COND,)))
    run.close()
    assert len(only_trace(run).records) == 1


def test_report_says_what_was_done():
    run = Run((Doubler(), NormRecorder()), "Tiny", 3)
    run_call(run, forward())
    run.close()
    assert only_trace(run).report == (
        "Doubler acted on 1 call, 1 of 10 steps, block 1",
        "NormRecorder looked at 1 call, 1 of 10 steps, block 1",
    )


def test_report_says_when_nothing_was_changed():
    @dataclass(frozen=True, kw_only=True)
    class Idle(Intervention):
        def before(self, call):
            return call

    run = Run((Idle(), NormRecorder()), "Tiny", 3)
    run_call(run, forward())
    run.close()
    assert only_trace(run).report[0] == ("Idle received 1 call and changed none: its strength is 0 in these blocks and steps")


def test_a_window_that_no_step_reaches_is_reported_not_raised():
    run = Run((Doubler(window=Window(0.0, 0.1)), NormRecorder()), "Tiny", 3)
    run_call(run, forward())
    run.close()
    said = only_trace(run).report[0]
    assert "active on 0 of 10 steps" in said and "widen" in said


TEMPORAL = Where(kinds=frozenset({"temporal"}))


@pytest.mark.parametrize("ending", [Run.close, lambda run: run.open(forward(step=replace(STEP, index=3)))], ids=["run", "step"])
def test_no_matching_site_raises_once_the_step_is_over(ending):
    run = Run((Doubler(where=TEMPORAL),), "Tiny", 3)
    run_call(run, forward())
    with pytest.raises(TemporalAttentionError, match="temporal attention for Doubler to act on.*Tiny"):
        ending(run)


def test_steps_that_a_cache_answers_are_no_error():
    run = Run((Doubler(), NormRecorder()), "Tiny", 3)
    run_call(run, forward(), cached=True)
    run_call(run, forward(step=replace(STEP, index=3)), cached=True)
    run.close()
    assert only_trace(run).report[0] == "Doubler received no calls: a cache answered for the network"
    assert only_trace(run).records == []


def test_a_side_that_comes_later_is_no_error():
    run = Run((Doubler(branch=UNCOND), NormRecorder()), "Tiny", 3)
    run_call(run, forward((COND,)))
    run_call(run, forward((COND, UNCOND), step=replace(STEP, index=3)))
    run.close()
    assert only_trace(run).report[0] == "Doubler acted on 1 call, 1 of 10 steps, block 1"


def test_a_side_that_never_comes_is_reported():
    run = Run((Doubler(branch=UNCOND), NormRecorder()), "Tiny", 3)
    run_call(run, forward((COND,)))
    run.close()
    assert only_trace(run).report[0] == "Doubler received no calls: in its window no prediction of its branch was made"


def test_an_observer_that_saw_nothing_costs_nobody_a_video():
    run = Run((NormRecorder(where=TEMPORAL),), "Tiny", 3)
    run_call(run, forward())
    run.close()
    assert only_trace(run).report == ("NormRecorder received no calls",)


def test_a_still_passes_through_and_says_so_once(caplog):
    run = Run((Doubler(), NormRecorder()), "Tiny", 3)
    for _ in range(3):
        assert run_call(run, forward(frames=1)) is None
    run.close()
    assert len(caplog.records) == 1 and "one latent frame" in caplog.text
    report = only_trace(run).report
    assert any("passed through 3 calls" in line for line in report) and not any("widen" in line for line in report)


def test_neutral_interventions_are_left_out():
    @dataclass(frozen=True, kw_only=True)
    class Off(Doubler):
        def acts(self):
            return False

    assert Run((Off(),), "Tiny", 3).chain == ()


def test_grid_of_means_over_samples_and_blocks():
    run = Run((NormRecorder(),), "Tiny", 3)
    run_call(run, forward((COND, COND)))
    run.close()
    table = only_trace(run).by_block_and_step(lambda r: float(r.sample + r.values["norm"].mean()))
    assert table.shape == (3, 3) and np.isfinite(table).sum() == 1
    expected = np.mean([r.sample + r.values["norm"].mean() for r in only_trace(run).records])
    np.testing.assert_allclose(table[1, 2], expected)
    assert np.isnan(only_trace(run).by_block_and_step(lambda r: 1.0, UNCOND)).all()


@pytest.mark.parametrize("start,end", [(0.5, 0.4), (-0.1, 1.0), (0.0, 1.1), (float("nan"), 1.0)])
def test_bad_windows_raise(start, end):
    with pytest.raises(TemporalAttentionError, match="start"):
        Window(start, end)


def test_blocks_outside_the_network_raise():
    with pytest.raises(TemporalAttentionError, match="from 0 to 2.*block 3, 7"):
        Where(blocks=frozenset({1, 3, 7})).check(3)
