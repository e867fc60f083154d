"""Compiled networks: nodes act as on one that is not compiled, whatever ran before, and other steps stay compiled."""

import pytest
import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from families import sample, tiny_networks

from pack.py.core.intervention import Where, Window
from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.host.families import blocks_of
from pack.py.techniques.entropy_guidance import EntropyGuidance
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.stas import StructuredActivationSteering
from pack.py.techniques.sth import SpectralTransportHomeostasis
from pack.py.techniques.tar import TemporalAttentionRegularization

TINY = tiny_networks()["wan_t2v"]
STEPS = 4
FIRST = Where(blocks=frozenset({0}))
CHAINS = {
    "TAR": [TemporalAttentionRegularization(strength=3.0)],
    "TAR in the second half": [TemporalAttentionRegularization(strength=3.0, window=Window(0.5, 1.0))],
    "STH in a block": [SpectralTransportHomeostasis(tau=2.0, layer_weight="flat", where=FIRST)],
    "STH": [SpectralTransportHomeostasis(tau=2.0, layer_weight="flat")],
    "STAS": [StructuredActivationSteering(channels=(1, 3), alpha=5.0, where=FIRST)],
    "guidance": [EntropyGuidance(block=1, scale=3.0)],
}


class Backend:
    """Compiles nothing, and counts how often what it was given runs."""

    def __init__(self):
        self.runs = 0

    def __call__(self, graph, inputs):
        def run(*args):
            self.runs += 1
            return graph.forward(*args)

        return run


@pytest.fixture(scope="module")
def model():
    return TINY.load()


@pytest.fixture(autouse=True)
def forgotten():
    """What earlier tests compiled would be used again."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture(params=["network", "blocks", "patches", "in place"])
def compiled(request, model):
    """(the MODEL as the host's TorchCompileModel, or nodes that compile block by block, leave it; its backend)."""
    blocks = [f"diffusion_model.blocks.{i}" for i in range(len(blocks_of(model)))]
    clone, backend = (TINY.load() if request.param == "in place" else model).clone(disable_dynamic=True), Backend()
    if request.param == "in place":
        for name in blocks:
            clone.get_model_object(name).compile(backend=backend)
    elif request.param == "patches":
        for name in blocks:
            clone.add_object_patch(name, torch.compile(clone.get_model_object(name), backend=backend))
    else:
        set_torch_compile_wrapper(clone, backend=backend, keys=["diffusion_model"] if request.param == "network" else blocks)
    return clone, backend


def test_after_an_ordinary_run_every_technique_acts_as_on_a_network_that_is_not_compiled(model, compiled):
    clone, _ = compiled
    assert torch.allclose(sample(TINY, clone, steps=STEPS), sample(TINY, model, steps=STEPS), atol=1e-4)
    for chain in CHAINS.values():
        assert torch.equal(sample(TINY, attach(clone, *chain), steps=STEPS), sample(TINY, attach(model, *chain), steps=STEPS))


def test_a_recorder_sees_every_call(model, compiled):
    clone, _ = compiled
    sample(TINY, clone, steps=STEPS)
    found = [RUNS.find(sample(TINY, attach(each, recorder), steps=STEPS), recorder) for each, recorder in recorders(model, clone)]
    plain, seen = ([record.site for record in run.trace.records] for run in found)
    assert seen == plain and len(seen) >= STEPS
    assert any("compiled network ran as it is written" in line for line in found[1].trace.report)


def recorders(*models):
    return [(each, FrameAttentionRecorder()) for each in models]


def test_steps_in_which_nothing_acts_stay_compiled(model, compiled):
    clone, backend = compiled
    sample(TINY, clone, steps=STEPS)
    each = backend.runs
    sample(TINY, attach(clone, *CHAINS["TAR in the second half"]), steps=STEPS)
    assert 0 < backend.runs - each < each
    again = backend.runs
    sample(TINY, clone, steps=STEPS)
    assert backend.runs - again == each, "the compiler's switch was left on"
