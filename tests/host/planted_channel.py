"""A network with a planted massive channel: its fixtures, runs of it, and what tests read from them."""

from dataclasses import dataclass, replace

import pytest
import torch
from families import native, sample, tiny_networks
from networks import wan
from node_calls import run

from pack.nodes.massive_activation_report import MassiveActivationReportNode
from pack.nodes.massive_activations import MassiveActivationsNode
from pack.py.core.intervention import Observer

PLANTED, HEIGHT = 77, 400.0
BLOCK = 1  # the guess for a network of 3 blocks


@dataclass(frozen=True, kw_only=True)
class BlockWatcher(Observer):
    """Keeps (block, step, forward, x) of every block output, as all interventions left it."""

    log: list

    def __hash__(self):
        return id(self)

    def block_seen(self, call):
        self.log.append((call.site.block, call.forward.step.index, call.forward, call.x.clone()))
        return []


@pytest.fixture(scope="module")
def tiny():
    """A Wan network in whose stream one channel is large at every token."""
    bias = torch.zeros(wan.WIDTH)
    bias[PLANTED] = HEIGHT
    return replace(tiny_networks()["wan_t2v"], load=lambda: native(wan.network(), wan.METADATA, {"patch_embedding.bias": bias}))


@pytest.fixture
def watched(tiny, model):
    """(trace, latent, profile, report) of a run of the planted network, two samples with guidance."""
    patched, trace = run(MassiveActivationsNode, model=model)
    samples = {"samples": sample(tiny, patched, batch=2)}
    report, profile = run(MassiveActivationReportNode, trace=trace, samples=samples)
    return trace, samples, profile, report


@pytest.fixture(scope="module")
def plain_profile(model):
    """The profile of the same network without a massive channel."""
    usual = tiny_networks()["wan_t2v"]
    with torch.inference_mode():
        patched, trace = run(MassiveActivationsNode, model=usual.load())
        return run(MassiveActivationReportNode, trace=trace, samples={"samples": sample(usual, patched)})[1]


def technique_on(model):
    (technique,) = model.model_options["transformer_options"]["temporal_attention"]
    return technique
