"""By how much Spectral Transport Homeostasis scales the queries of a call, or its output, against naive references."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from events import measured
from reference import double
from sth_calls import (
    BRANCHES,
    ESTIMATORS,
    GRIDS,
    TOLERANCE,
    attention,
    every_estimator,
    every_grid,
    flat,
    notes,
    per_call_and_per_head,
    per_token,
    planted,
    tau_eff,
)
from torch.testing import assert_close

from pack.py.techniques.sth import SpectralTransportHomeostasis

# The paper's rule


@every_estimator
@per_call_and_per_head
def test_queries_are_scaled_by_the_reference_gamma(estimator, per_head):
    sth = SpectralTransportHomeostasis(tau=0.7, estimator=estimator, per_head=per_head)
    call = attention()
    wanted = reference.gamma(measured(call, estimator), tau_eff(sth, call), per_head)
    edited = sth.before(call)
    assert np.abs(double(edited.q / call.q).mean((-2, -1)) - wanted.reshape(4, -1)).max() < TOLERANCE
    assert_close(edited.q.double(), call.q.double() * per_token(wanted, call.q), atol=0, rtol=TOLERANCE)
    assert np.ptp(wanted) > 0.1, "samples must differ, or this test says little"


@every_estimator
@per_call_and_per_head
@every_grid
def test_only_video_queries_are_touched(estimator, per_head, grid):
    sth = flat(tau=0.7, estimator=estimator, per_head=per_head)
    call = attention(grid)
    edited = sth.before(call)
    wanted = reference.gamma(measured(call, estimator), 0.7, per_head)
    expected = call.q.double()
    expected[:, :, grid.video] *= per_token(wanted, call.q)
    assert_close(edited.q.double(), expected, atol=0, rtol=TOLERANCE)
    outside = torch.ones(grid.tokens, dtype=torch.bool)
    outside[grid.video] = False
    assert torch.equal(edited.q[:, :, outside], call.q[:, :, outside])
    assert edited.k is call.k and edited.v is call.v and edited.bias is None
    assert edited.scale == call.scale and edited.rows == call.rows


def test_tokens_outside_the_video_do_not_count():
    grid = GRIDS["tokens on both sides"]
    call = attention(grid)
    q, k = call.q.clone(), call.k.clone()
    for x in (q, k):
        x[:, :, : grid.start] = 50.0
        x[:, :, grid.video.stop :] = -50.0
    for estimator in ESTIMATORS.values():
        sth = flat(tau=0.7, estimator=estimator)
        first, second = sth.before(attention(grid)), sth.before(replace(call, q=q, k=k, notes=[], memory={}))
        assert torch.equal(notes(first)["gamma"], notes(second)["gamma"])


@per_call_and_per_head
def test_gamma_of_a_sample_does_not_depend_on_the_batch(per_head):
    sth = flat(tau=0.7, per_head=per_head)
    call = attention()
    together = notes(sth.before(call))["gamma"]
    for row in range(4):
        forward = replace(call.forward, branches=BRANCHES[row : row + 1], samples=call.forward.samples[row : row + 1])
        part = {name: getattr(call, name)[row : row + 1] for name in "qkv"}
        alone = sth.before(replace(call, forward=forward, rows=(0,), notes=[], memory={}, **part))
        assert_close(notes(alone)["gamma"], together[row : row + 1], atol=TOLERANCE, rtol=0)


def test_gamma_of_a_call_is_that_of_the_mean_tension_not_the_mean_gamma():
    sth = flat(tau=2.0)
    call = attention()
    got = double(notes(sth.before(call))["gamma"])
    t = measured(call, sth.estimator).tension
    assert np.abs(np.exp(2 * t).mean(1) - np.exp(2 * t.mean(1))).max() > 0.01
    assert np.abs(got - np.exp(2 * t.mean(1))).max() < 1e-5


def test_the_models_own_scale_is_used():
    sth = flat(tau=0.7)
    call = attention().edit(scale=0.05)
    q, k = (double(call.forward.grid.by_frame(x)) for x in (call.q, call.k))
    wanted = reference.gamma(reference.same_position(q, k, 0.05), 0.7, False)
    assert np.abs(double(notes(sth.before(call))["gamma"]) - wanted).max() < TOLERANCE


def test_the_kernel_receives_the_scaled_queries():
    """Eq. 6: O' = softmax(gamma Q K^T / sqrt d) V."""
    sth = flat(tau=0.7)
    call = attention()
    out = sth.before(call).attend()
    g = per_token(reference.gamma(measured(call, sth.estimator), 0.7, False), call.q)
    wanted = torch.softmax(g * call.q.double() @ call.k.double().mT * call.scale, -1) @ call.v.double()
    assert_close(out.double(), wanted, atol=1e-5, rtol=0)


def test_twice_in_a_row_measures_what_the_first_one_left():
    """A measurement kept in the call's memory must not be that of other queries."""
    sth = flat(tau=1.0)
    call = attention()
    first = sth.before(call)
    second = sth.before(first)
    wanted = reference.gamma(measured(first, sth.estimator), 1.0, False)
    assert np.abs(double((second.q / first.q).mean((1, 2, 3))) - wanted).max() < TOLERANCE
    assert np.abs(wanted - reference.gamma(measured(call, sth.estimator), 1.0, False)).max() > 0.01


def test_measurements_are_not_mixed_up():
    """Many queries on one call's memory, each freed before the next (its address may come back), by every estimator."""
    call = attention()
    for i in range(12):
        edited = call.edit(q=call.q * (0.2 * i), k=call.k * (1 + 0.1 * (i % 3)))
        for estimator in ESTIMATORS.values():
            got, wanted = estimator.measure(edited), measured(edited, estimator)
            assert np.abs(double(got.matrix) - wanted.matrix).max() < 1e-5
            assert np.abs(double(got.h_row) - wanted.h_row).max() < 1e-5
        del edited


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16))
@per_call_and_per_head
@every_grid
def test_half_precision_queries_are_rounded_once(dtype, per_head, grid):
    sth = flat(tau=0.7, per_head=per_head)
    call = attention(grid, dtype=dtype)
    edited = sth.before(call)
    gamma = notes(edited)["gamma"]
    wanted = reference.gamma(measured(call, sth.estimator), 0.7, per_head)
    assert edited.q.dtype == dtype and gamma.dtype == torch.float32
    assert np.abs(double(gamma) - wanted).max() < TOLERANCE
    expected = call.q.clone()
    expected[:, :, grid.video] = (call.q[:, :, grid.video].float() * per_token(gamma, call.q)).to(dtype)
    assert torch.equal(edited.q, expected)


# The authors' code


@every_estimator
@every_grid
def test_output_gain_per_head_equals_the_reference(estimator, grid):
    sth = SpectralTransportHomeostasis(tau=1.5, rule="output gain", estimator=estimator, per_head=True)
    call = attention(grid)
    out = call.attend()
    gain = reference.output_gain(measured(call, estimator), tau_eff(sth, call), True)
    assert gain.min() >= 1 and np.ptp(gain) > 0.02
    expected = out.double()
    expected[:, :, grid.video] *= per_token(gain, out)
    assert_close(sth.after(sth.before(call), out).double(), expected, atol=1e-7, rtol=TOLERANCE)


@every_estimator
def test_output_gain_per_call_equals_the_reference(estimator):
    """One gain a call: the correction averaged over heads, as T is for the paper's rule."""
    sth = SpectralTransportHomeostasis(tau=1.5, rule="output gain", estimator=estimator)
    call = attention(GRIDS["tokens on both sides"])
    out = call.attend()
    gain = reference.output_gain(measured(call, estimator), tau_eff(sth, call), False)
    expected = out.double()
    expected[:, :, call.forward.grid.video] *= per_token(gain, out)
    assert_close(sth.after(call, out).double(), expected, atol=1e-7, rtol=TOLERANCE)


def test_output_gain_of_one_head_needs_no_average():
    sth = flat(tau=1.5, rule="output gain")
    call = attention(heads=1)
    out = call.attend()
    gain = reference.output_gain(measured(call, sth.estimator), 1.5, True)
    assert_close(sth.after(call, out).double(), out.double() * per_token(gain, out), atol=1e-7, rtol=TOLERANCE)


def test_output_gain_keeps_half_precision():
    sth = flat(tau=1.5, rule="output gain", per_head=True)
    call = attention(GRIDS["text after"], dtype=torch.bfloat16)
    out = call.attend()
    got = sth.after(call, out)
    gain = torch.from_numpy(reference.output_gain(measured(call, sth.estimator), 1.5, True))
    video = call.forward.grid.video
    assert got.dtype == torch.bfloat16
    assert_close(got[:, :, video].double(), out[:, :, video].double() * per_token(gain, out), atol=0, rtol=2**-8)
    assert torch.equal(got[:, :, video.stop :], out[:, :, video.stop :])


@pytest.mark.parametrize("score", (0.0, 60.0))
def test_output_gain_is_one_at_both_extremes(score):
    """Uniform: H_vN = 0; identity: mean diagonal 1 and H_vN = 1."""
    call = planted(score)
    out = call.attend()
    assert_close(flat(tau=2.0, rule="output gain").after(call, out), out, atol=1e-4, rtol=1e-4)
