"""STH through a whole sampling run, on a network with planted attention, against a dense float64 computation."""

from dataclasses import replace

import pytest
import reference
import torch
from families import native, sample, tiny_networks
from interventions import Watcher
from networks import wan

from pack.py.core.events import Branch
from pack.py.host.attach import attach
from pack.py.techniques.estimator import Estimator
from pack.py.techniques.sth import SpectralTransportHomeostasis

FRAGMENTED, OVERMIXED, FREE = 0, 1, 2
FAST_IN_TIME = 8  # leading dimensions of a head: its first four rotary frequencies of time
TAU = 0.7


def planted_weights():
    """Block 0 keeps frames apart, block 1 mixes them, block 2 depends on the input.

    Queries and keys of the first two are constants of the block: the rotary embedding alone tells tokens apart. Large in
    the dimensions that rotate fast with time they prefer their own frame; almost zero they mix all frames.
    """
    planted = {}
    for block, size in ((FRAGMENTED, 12.0), (OVERMIXED, 0.3)):
        pattern = torch.zeros(wan.HEADS, wan.WIDTH // wan.HEADS)
        pattern[:, :FAST_IN_TIME] = size
        for name in ("q", "k"):
            attention = f"blocks.{block}.self_attn"
            planted[f"{attention}.{name}.weight"] = torch.zeros(wan.WIDTH, wan.WIDTH)
            planted[f"{attention}.{name}.bias"] = torch.ones(wan.WIDTH)
            planted[f"{attention}.norm_{name}.weight"] = pattern.flatten()
    return planted


@pytest.fixture(scope="module")
def tiny():
    return replace(tiny_networks()["wan_t2v"], load=lambda: native(wan.network(), wan.METADATA, planted_weights()))


def run(tiny, **settings):
    """[(site, forward, q made, q received, k)] of every self-attention of a run of two samples with guidance."""
    log = []
    with torch.inference_mode():
        technique = SpectralTransportHomeostasis(tau=TAU, **settings)
        sample(tiny, attach(tiny.load(), technique, Watcher(log=log)), steps=3, batch=2)
    return log


@pytest.mark.parametrize("per_head", [False, True], ids=["one gamma a call", "one gamma a head"])
@pytest.mark.parametrize("estimator", ["same_position", "pooled", "exact"])
def test_gamma_equals_a_dense_float64_computation(tiny, estimator, per_head):
    log = run(tiny, estimator=Estimator(estimator, rows=10**6), per_head=per_head)
    assert len(log) == 3 * 3
    for site, forward, made, received, k in log:
        tau = TAU * reference.layer_weight("deep strong", site.block, site.blocks)
        tau *= reference.step_weight("progress", forward.step.progress, forward.step.noise)
        q5, k5 = (reference.double(forward.grid.by_frame(x)) for x in (made, k))
        measured = reference.ESTIMATORS[estimator](q5, k5, made.shape[-1] ** -0.5)
        expected = torch.from_numpy(reference.gamma(measured, tau, per_head)).reshape(len(made), -1).expand(-1, made.shape[1])
        applied = (received.double() * made.double()).sum((2, 3)) / made.double().square().sum((2, 3))
        torch.testing.assert_close(applied, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(received.double(), applied[..., None, None] * made.double(), atol=1e-5, rtol=1e-5)


def test_the_planted_signs_are_corrected_and_rows_differ(tiny):
    log = run(tiny, layer_weight="flat", step_weight="flat")
    gains = {}
    for site, forward, made, received, _ in log:
        assert forward.branches == (Branch.UNCOND,) * 2 + (Branch.COND,) * 2
        gains.setdefault(site.block, []).append(received.flatten(1).norm(dim=1) / made.flatten(1).norm(dim=1))
    assert all((g < 0.9).all() for g in gains[FRAGMENTED])
    assert all((g > 1.2).all() for g in gains[OVERMIXED])
    assert all(len(set(g.tolist())) == 4 for g in gains[FREE]), "every sample and branch has its own gamma"
