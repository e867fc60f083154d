"""AnimateDiff: on a stand-in for the pack, and on the pack itself where ANIMATEDIFF_PATH says where a checkout of it is."""

import logging
import os

import comfy.model_management
import motion_modules
import pytest
import real_animatediff
import torch
from families import sample
from interventions import BlockShift, FrameBias, IdentityAttention, QueryGain, Watcher
from motion_modules import KEY, slow_attention
from networks.animatediff import NETWORKS, image_model, motion_model
from reference_edits import edited_attention

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.intervention import Intervention, Where
from pack.py.host.attach import attach
from pack.py.host.families import adapter_of, blocks_of, network_of
from pack.py.techniques.sth import SpectralTransportHomeostasis

SPATIAL = Where(kinds=frozenset({"spatial"}))
EDITS = [QueryGain(), IdentityAttention(), FrameBias(), BlockShift()]


class StandIn:
    """Motion models of the stand-in on a tiny image MODEL."""

    tiny, blocks, sizes = NETWORKS["animatediff"], 7, {(8, 8), (4, 4)}

    def __init__(self):
        self.image, self.motion = image_model(), motion_model()

    def model(self, off=False, **options):
        self.motion.set(effect=0.0 if off else None)
        return motion_modules.with_motion(self.image, self.motion, **options)


@pytest.fixture(scope="module", params=["stand-in", "real"])
def subject(request, tmp_path_factory):
    """A family of MODELs with one image MODEL and one motion model."""
    with torch.inference_mode():
        if request.param == "stand-in":
            return StandIn()
        if "ANIMATEDIFF_PATH" not in os.environ:
            pytest.skip("ANIMATEDIFF_PATH names no checkout of ComfyUI-AnimateDiff-Evolved")
        return real_animatediff.Real(os.environ["ANIMATEDIFF_PATH"], tmp_path_factory.mktemp("motion"))


def kernels(model):
    """The attention modules' own kernels."""
    return [attention.actual_attention for block in blocks_of(model) for attention in block.module.attention_blocks]


def clean(model):
    """Is nothing of ours left on the modules?"""
    modules = [*network_of(model).modules(), *(part for block in blocks_of(model) for part in block.module.modules())]
    hooks = any(module._forward_hooks or module._forward_pre_hooks for module in modules)
    return not hooks and all(kernel.__module__ == "comfy.ldm.modules.attention" for kernel in kernels(model))


def test_blocks_are_known_before_they_are_in_the_network(subject):
    model = subject.model()
    before = blocks_of(model)
    comfy.model_management.load_models_gpu([model])
    inside = adapter_of(model).blocks(network_of(model))
    assert len(before) == subject.blocks and [b.module for b in before] == [b.module for b in inside]
    assert [b.site for b in before] == [b.site for b in inside]
    temporal = [site for block in inside for site in block.sites if site.kind == "temporal"]
    assert len(temporal) == 2 * subject.blocks and {len(block.module.attention_blocks) for block in inside} == {2}
    with pytest.raises(TemporalAttentionError, match=f"from 0 to {subject.blocks - 1}"):
        attach(model, QueryGain(where=Where(blocks=frozenset({subject.blocks}))))


def test_the_image_model_alone_is_refused(subject):
    """Also while the motion modules of a clone of it are in its network."""
    model = subject.model()
    comfy.model_management.load_models_gpu([model])
    with pytest.raises(TemporalAttentionError, match="network is UNetModel.*has its motion model"):
        attach(subject.image, QueryGain())


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: type(e).__name__)
def test_edits_equal_the_network_edited_by_hand(subject, edit):
    model = subject.model()
    ours = sample(subject.tiny, attach(model, edit), steps=1)
    with edited_attention(model, type(edit).__name__):
        by_hand = sample(subject.tiny, model, steps=1)
    plain = sample(subject.tiny, model, steps=1)
    assert not torch.allclose(by_hand, plain, atol=1e-3)
    assert (ours - by_hand).abs().max() <= 1e-5 * by_hand.abs().max()


def test_neutral_is_bit_identical_and_nothing_is_left(subject):
    model = subject.model()
    plain = sample(subject.tiny, model, steps=2)
    assert torch.equal(sample(subject.tiny, attach(model, SpectralTransportHomeostasis.neutral()), steps=2), plain)
    assert torch.equal(sample(subject.tiny, attach(model, Watcher(log=[])), steps=2), plain)
    assert not torch.equal(sample(subject.tiny, attach(model, QueryGain()), steps=2), plain)
    assert torch.equal(sample(subject.tiny, model, steps=2), plain) and clean(model)


def test_every_call_is_seen_with_its_resolution(subject):
    log = []
    sample(subject.tiny, attach(subject.model(), Watcher(log=log)), steps=1)
    frames = subject.tiny.latent[0]
    assert [site.block for site, *_ in log] == [i for i in range(subject.blocks) for _ in range(2)]
    assert {site.kind for site, *_ in log} == {"temporal"}
    assert {(forward.grid.height, forward.grid.width) for _, forward, *_ in log} == subject.sizes
    for _, forward, q, *_ in log:
        assert forward.grid.frames == frames and q.shape[:1] + q.shape[2:3] == (2, frames * forward.grid.spatial)


def test_attention_inside_frames_is_acted_on_where_asked(subject):
    log, model = [], subject.model()
    edited = sample(subject.tiny, attach(model, QueryGain(where=SPATIAL), Watcher(log=log, where=SPATIAL)), steps=1)
    layers = sum(type(layer).__name__ == "BasicTransformerBlock" for layer in network_of(model).modules())
    assert len(log) == layers and {site.kind for site, *_ in log} == {"spatial"}
    assert all(torch.equal(edited_q, 1.5 * q) for _, _, q, edited_q, _ in log)
    assert not torch.equal(edited, sample(subject.tiny, model, steps=1))


def test_context_windows_are_told_apart(subject):
    log = []
    sample(subject.tiny, attach(subject.model(context=2), QueryGain(), Watcher(log=log)), steps=1)
    forwards = list(dict.fromkeys(forward for _, forward, *_ in log))
    windows = {forward.frames for forward in forwards}
    assert len(windows) > 1 and {len(window) for window in windows} == {2}
    assert {frame for window in windows for frame in window} == set(range(subject.tiny.latent[0]))
    assert {f.grid.frames for f in forwards} == {2} and {f.whole for f in forwards} == {subject.tiny.latent[0]}
    assert not any(f.extra for f in forwards)


def test_views_are_passed_through_and_reported(subject, caplog):
    model = subject.model(view=2)
    plain = sample(subject.tiny, model, steps=1)
    with caplog.at_level(logging.INFO, logger="temporal_attention"):
        assert torch.equal(sample(subject.tiny, attach(model, QueryGain()), steps=1), plain)
    assert "an attention of AnimateDiff had" in caplog.text and "QueryGain received no calls" in caplog.text
    assert not torch.equal(sample(subject.tiny, attach(model, BlockShift()), steps=1), plain), "a block's output is whole"


def test_motion_that_is_off_is_passed_through_and_reported(subject, caplog):
    model = subject.model(off=True)
    plain = sample(subject.tiny, model, steps=1)
    with caplog.at_level(logging.INFO, logger="temporal_attention"):
        assert torch.equal(sample(subject.tiny, attach(model, QueryGain()), steps=1), plain)
    assert "AnimateDiff: its motion modules are off at this step" in caplog.text


class Boom(Exception):
    pass


class Failing(Intervention):
    def before(self, call):
        if call.site.block == 1:
            raise Boom
        return call


def interrupt(step, x0, x, total):
    comfy.model_management.interrupt_current_processing()
    comfy.model_management.throw_exception_if_processing_interrupted()


@pytest.mark.parametrize(
    "error,intervention,options",
    [
        (Boom, Failing(), {}),
        (comfy.model_management.InterruptProcessingException, QueryGain(), {"callback": interrupt}),
    ],
)
def test_failure_and_interrupt_leave_nothing(subject, error, intervention, options):
    model = subject.model()
    plain = sample(subject.tiny, model, steps=2)
    with pytest.raises(error):
        sample(subject.tiny, attach(model, intervention), steps=2, **options)
    assert clean(model) and torch.equal(sample(subject.tiny, model, steps=2), plain)


def test_a_kernel_that_is_changed_during_a_call_is_kept_and_reported(caplog):
    subject = StandIn()
    model = subject.model()
    plain, refused = sample(subject.tiny, model, steps=1), subject.motion.down_blocks[0]
    refused = refused.temporal_transformer.transformer_blocks[0].attention_blocks[0]

    def too_large(*args, **kwargs):
        raise RuntimeError("CUDA error: invalid configuration argument")

    refused.actual_attention = too_large
    with caplog.at_level(logging.INFO, logger="temporal_attention"):
        sample(subject.tiny, attach(model, QueryGain()), steps=1)
    assert "an attention of AnimateDiff changed its kernel during a call" in caplog.text
    assert refused.actual_attention is slow_attention and "QueryGain acted on 13 calls" in caplog.text
    assert torch.equal(sample(subject.tiny, model, steps=1), plain)


def test_two_motion_models_have_blocks_each():
    subject = StandIn()
    both = motion_modules.with_motion(subject.image, subject.motion, motion_model(seed=2, middle=None))
    assert len(both.additional_models[KEY]) == 2 and len(blocks_of(both)) == 7 + 6
    log = []
    sample(subject.tiny, attach(both, Watcher(log=log)), steps=1)
    assert [site.block for site, *_ in log] == [i for i in range(13) for _ in range(2)]
