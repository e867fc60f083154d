"""Which way Spectral Transport Homeostasis moves the tension of calls whose tension is known."""

import numpy as np
import pytest
import reference
import torch
from events import measured
from sth_calls import dense_kernel, every_estimator, flat, notes, planted

from pack.py.core.attention import Attention
from pack.py.core.events import Branch, Forward, Grid, Site, Step
from pack.py.techniques.estimator import Estimator


def tension_after(call, edited, estimator):
    return measured(call, estimator).tension, measured(edited, estimator).tension


@every_estimator
@pytest.mark.parametrize("score", (0.5, 0.8, 1.0))
def test_over_mixed_attention_is_sharpened(estimator, score):
    call = planted(score)
    edited = flat(tau=0.5, estimator=estimator).before(call)
    before, after = tension_after(call, edited, estimator)
    assert (before > 0.3).all() and notes(edited)["gamma"].min() > 1.1
    assert (np.abs(after) < np.abs(before) - 0.005).all()


@every_estimator
@pytest.mark.parametrize("score", (5.0, 6.0, 8.0))
def test_fragmented_attention_is_softened(estimator, score):
    call = planted(score)
    edited = flat(tau=0.5, estimator=estimator).before(call)
    before, after = tension_after(call, edited, estimator)
    assert (before < -0.3).all() and notes(edited)["gamma"].max() < 0.9
    assert (np.abs(after) < np.abs(before) - 0.005).all()


def test_a_balanced_head_is_left_as_it_is():
    """T = 0: two frames, pattern with equal row and spectral entropy."""
    grid = Grid(2, 1, 1, tokens=2)
    scores = np.linspace(0.01, 6, 600)
    t = [reference.tension(reference.pattern_of(np.eye(2) * s, np.eye(2), 1.0)) for s in scores]
    crossing = float(np.interp(0.0, -np.array(t), scores))
    q, k = (torch.eye(2) * crossing).view(1, 1, 2, 2), torch.eye(2).view(1, 1, 2, 2)
    forward = Forward(Step(0, 10, 1.0, 0.0, 1.0), grid, (Branch.COND,), (0,))
    call = Attention(Site(3, 4, "self"), forward, q, k, q, None, 1.0, dense_kernel, (0,))
    assert notes(flat(tau=2.0).before(call))["gamma"].item() == pytest.approx(1, abs=1e-3)


def test_a_soft_sink_is_sharpened_though_it_is_already_collapsed():
    """Rank 1: H_vN = 0, so T = H_row > 0; techniques.md names this as a limit of the method."""
    call = planted(2.0, own=False)
    t = measured(call, Estimator())
    assert (t.h_vn < 0.02).all() and (t.tension > 0.5).all()
    assert notes(flat(tau=0.5).before(call))["gamma"].min() > 1.2


def test_per_head_mends_heads_of_opposite_signs():
    one, other = planted(1.0, heads=1), planted(7.0, heads=1)
    call = one.edit(**{name: torch.cat([getattr(one, name), getattr(other, name)], 1) for name in "qkv"})
    sth = flat(tau=0.5, per_head=True)
    edited = sth.before(call)
    before, after = tension_after(call, edited, sth.estimator)
    assert before[0, 0] > 0.3 and before[0, 1] < -0.3
    assert (np.abs(after) < np.abs(before) - 0.005).all()
    assert torch.equal(torch.sign(notes(edited)["gamma"] - 1), torch.sign(torch.from_numpy(before)).float())
