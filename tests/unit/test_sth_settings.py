"""Settings of Spectral Transport Homeostasis: weights by depth and time, those that change nothing, those that are refused."""

import numpy as np
import pytest
import reference
import torch
from events import measured
from reference import double
from sth_calls import TOLERANCE, attention, flat, notes, tau_eff
from torch.testing import assert_close

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Site
from pack.py.core.intervention import Window
from pack.py.maths.weights import deep_strong, early_strong
from pack.py.techniques.estimator import Estimator
from pack.py.techniques.sth import SpectralTransportHomeostasis

# Weights


@pytest.mark.parametrize(
    "place,deep,early",
    ((0, 0, 1), (0.25, 0.1464466, 0.8535534), (0.5, 0.5, 0.5), (0.75, 0.8535534, 0.1464466), (1, 1, 0)),
)
def test_cosine_weights(place, deep, early):
    assert deep_strong(place) == pytest.approx(deep, abs=1e-7)
    assert early_strong(place) == pytest.approx(early, abs=1e-7)


@pytest.mark.parametrize("layer", ("deep strong", "flat"))
@pytest.mark.parametrize("step", ("progress", "noise level", "flat"))
@pytest.mark.parametrize(
    "block,blocks,progress,noise", ((1, 5, 0.1, 0.95), (2, 5, 0.6, 0.6), (4, 5, 0.9, 0.2), (3, 40, 0.0, 1.0), (1, 2, 0.5, 0.9))
)
def test_strength_by_depth_progress_and_noise(layer, step, block, blocks, progress, noise):
    sth = SpectralTransportHomeostasis(tau=0.7, layer_weight=layer, step_weight=step)
    call = attention(site=Site(block, blocks, "self"), progress=progress, noise=noise)
    edited = sth.before(call)
    tau = tau_eff(sth, call)
    assert tau > 0
    assert_close(notes(edited)["tau_eff"], torch.full((4,), tau), atol=1e-6, rtol=0)
    wanted = reference.gamma(measured(call, sth.estimator), tau, False)
    assert np.abs(double(edited.q / call.q).mean((1, 2, 3)) - wanted).max() < TOLERANCE


def test_defaults_are_the_papers():
    sth = SpectralTransportHomeostasis()
    assert (sth.tau, sth.rule, sth.per_head) == (0.2, "query temperature", False)
    assert (sth.layer_weight, sth.step_weight, sth.estimator.name) == ("deep strong", "progress", "same_position")
    call = attention(site=Site(3, 4, "self"), progress=0.0)
    assert_close(notes(sth.before(call))["tau_eff"], torch.full((4,), 0.2), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tau", (-0.5, 0.1, 2.0))
def test_gamma_follows_tau(tau):
    call = attention()
    wanted = reference.gamma(measured(call, Estimator()), tau, False)
    assert np.abs(double(notes(flat(tau=tau).before(call))["gamma"]) / wanted - 1).max() < 5e-6


# No change


def test_tau_zero_is_neutral():
    assert not SpectralTransportHomeostasis(tau=0.0).acts()
    assert not SpectralTransportHomeostasis.neutral().acts()
    assert SpectralTransportHomeostasis.neutral().tau == 0
    assert SpectralTransportHomeostasis().acts() and SpectralTransportHomeostasis(tau=-0.2).acts()


@pytest.mark.parametrize("rule", ("query temperature", "output gain"))
def test_tau_zero_is_a_bit_exact_no_op(rule):
    sth = flat(tau=0.0, rule=rule)
    call = attention()
    assert torch.equal(sth.before(call).q, call.q)
    out = call.attend()
    assert torch.equal(sth.after(call, out), out)


def test_first_block_is_returned_unchanged():
    sth = SpectralTransportHomeostasis(tau=2.0)
    for site in (Site(0, 4, "self"), Site(0, 1, "self")):
        call = attention(site=site)
        assert sth.before(call) is call
        assert flat(tau=2.0).before(call) is not call


@pytest.mark.parametrize("step_weight,progress,noise", (("progress", 1.0, 0.5), ("noise level", 0.5, 0.0)))
def test_end_of_the_run_is_returned_unchanged(step_weight, progress, noise):
    call = attention(progress=progress, noise=noise)
    assert SpectralTransportHomeostasis(tau=2.0, step_weight=step_weight).before(call) is call


def test_first_block_keeps_its_output():
    sth = SpectralTransportHomeostasis(tau=2.0, rule="output gain")
    call = attention(site=Site(0, 4, "self"))
    out = call.attend()
    assert sth.before(call) is call and torch.equal(sth.after(call, out), out)


def test_each_rule_leaves_the_other_side_alone():
    call = attention()
    out = call.attend()
    assert flat(tau=1.0).after(call, out) is out
    assert flat(tau=1.0, rule="output gain").before(call) is call


# What is refused


@pytest.mark.parametrize(
    "name,settings",
    (
        ("tau", {"tau": float("nan")}),
        ("tau", {"tau": float("inf")}),
        ("tau", {"tau": -float("inf")}),
        ("rule", {"rule": "output"}),
        ("layer_weight", {"layer_weight": "deep"}),
        ("step_weight", {"step_weight": "early"}),
    ),
)
def test_bad_settings_are_named(name, settings):
    with pytest.raises(TemporalAttentionError, match=name) as raised:
        SpectralTransportHomeostasis(**settings)
    assert str(next(iter(settings.values()))) in raised.value.came and raised.value.do


def test_bad_estimators_are_named():
    with pytest.raises(TemporalAttentionError, match="estimator.*'same_position', 'pooled', 'exact'.*'dense'"):
        Estimator("dense")
    for rows in (0, -3):
        with pytest.raises(TemporalAttentionError, match=f"row.*{rows}"):
            Estimator("exact", rows)


def test_bad_windows_are_named():
    with pytest.raises(TemporalAttentionError, match="window"):
        SpectralTransportHomeostasis(window=Window(0.8, 0.2))


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        SpectralTransportHomeostasis().tau = 1.0
