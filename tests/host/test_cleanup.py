"""After a run that fails or is interrupted nothing of ours is left, and the next run is as if nothing had happened."""

import gc
import weakref

import comfy.model_management
import pytest
import torch
from families import sample, tiny_networks
from interventions import QueryGain

from pack.py.core.intervention import Intervention
from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.host.families import network_of
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.sth import SpectralTransportHomeostasis


class Boom(Exception):
    pass


class Failing(Intervention):
    def before(self, call):
        if call.site.block == 1:
            raise Boom
        return call


@pytest.fixture
def tiny():
    return tiny_networks()["wan_t2v"]


@pytest.fixture
def model(tiny):
    return tiny.load()


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network_of(model).modules())


def interrupt(step, x0, x, total):
    if step == 1:
        comfy.model_management.interrupt_current_processing()
        comfy.model_management.throw_exception_if_processing_interrupted()


@pytest.mark.parametrize(
    "error,intervention,options",
    [
        (Boom, Failing(), {}),
        (comfy.model_management.InterruptProcessingException, QueryGain(), {"callback": interrupt}),
    ],
)
def test_failure_and_interrupt_leave_nothing(tiny, model, error, intervention, options):
    plain = sample(tiny, model)
    recorder = FrameAttentionRecorder()
    RUNS.clear()
    patched = attach(model, intervention, recorder)
    options_before = dict(patched.model_options["transformer_options"])
    with pytest.raises(error):
        sample(tiny, patched, **options)
    assert hooks(model) == 0
    assert patched.model_options["transformer_options"] == options_before
    assert RUNS.find(plain, recorder) is None, "a run that did not end is no run to draw"
    assert torch.equal(sample(tiny, model), plain)
    assert torch.isfinite(sample(tiny, attach(model, QueryGain()))).all()


def test_tensors_of_a_call_are_freed_without_the_garbage_collector(tiny, model):
    kept = []

    class Keeper(Intervention):
        def before(self, call):
            gone = [ref for ref in kept if ref() is None]
            assert len(gone) == len(kept), "an earlier call's queries are still alive"
            new = call.edit(q=2 * call.q)
            kept.extend((weakref.ref(call.q), weakref.ref(new.q)))
            return new

    gc.disable()
    try:
        sample(tiny, attach(model, Keeper(), SpectralTransportHomeostasis(tau=1.0), FrameAttentionRecorder()), steps=2)
    finally:
        gc.enable()
    assert len(kept) == 2 * 2 * 3


def test_attaching_twice_on_clones_does_not_add_wrappers(tiny, model):
    once = attach(model, QueryGain())
    twice = attach(once, QueryGain())
    plain = sample(tiny, once)
    assert torch.equal(sample(tiny, once), plain)
    assert not torch.equal(sample(tiny, twice), plain)
    assert [len(found) for found in twice.wrappers["outer_sample"].values()] == [1]
