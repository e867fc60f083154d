"""Whatever ends an evaluation of a gradient, the model, the modes and the memory are as before."""

import gc
import weakref

import comfy.model_management
import comfy.quant_ops
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch
from families import sample, tiny_networks
from gradients import Tap, in_a_run, loss_of

from pack.py.host.families import network_of
from pack.py.host.gradients.attention import GradientKernel

NAMES = ["wan_t2v", "ltxv", "hunyuan_video_t2v", "mochi"]


class Boom(Exception):
    pass


class FailingTap(Tap):
    """Fails in the `call`-th attention that it sees: 2 is in the forward, the later ones are in the recomputation."""

    call: int = 2
    seen_so_far: list

    def __init__(self, call, **settings):
        super().__init__(**settings)
        object.__setattr__(self, "call", call)
        object.__setattr__(self, "seen_so_far", [])

    def seen(self, call, edited):
        self.seen_so_far.append(1)
        if len(self.seen_so_far) == self.call:
            raise Boom
        return super().seen(call, edited)


def failing_loss(calls):
    raise Boom


def interrupted_loss(calls):
    comfy.model_management.interrupt_current_processing()
    return loss_of(calls)


ENDS = {
    "success": (lambda: {}, None),
    "fails in the forward": (lambda: {"tap": FailingTap(2)}, Boom),
    "fails in the recomputation": (lambda: {"tap": FailingTap(5)}, Boom),
    "the loss fails": (lambda: {"loss": failing_loss}, Boom),
    "interrupt in the recomputation": (lambda: {"loss": interrupted_loss}, comfy.model_management.InterruptProcessingException),
}


@pytest.mark.parametrize("batch,split", [(1, True), (2, True), (1, False)])
def test_a_kept_attention_holds_neither_queries_nor_keys_nor_values(batch, split):
    with torch.inference_mode(False):
        shape = (batch, 2, 9, 16) if split else (batch, 9, 32)
        qkv = [torch.randn(shape) for _ in range(3)]
        kernel = GradientKernel(None, keep=True)
        with torch.no_grad():
            out = kernel.override(None, *qkv, 2, skip_reshape=split)
        storages = [weakref.ref(x.untyped_storage()) for x in qkv]
        again = [x.clone().requires_grad_() for x in qkv]
        plain = [x.clone().requires_grad_() for x in qkv]
        del qkv
        assert not any(ref() for ref in storages)
        with torch.enable_grad():
            recalled = kernel.override(None, *again, 2, skip_reshape=split)
            expected = attention_pytorch(*plain, 2, skip_reshape=split)
        assert torch.equal(recalled, out) and torch.equal(recalled, expected)
        for a, b in zip(
            torch.autograd.grad(recalled.sin().sum(), again), torch.autograd.grad(expected.sin().sum(), plain), strict=True
        ):
            torch.testing.assert_close(a, b)


def state(model):
    """All that an evaluation touches."""
    network = network_of(model)
    return {
        "weights": [(name, value.dtype, float(value.double().sum()), id(value)) for name, value in network.named_parameters()],
        "buffers": [(name, id(value)) for name, value in network.named_buffers()],
        "modules": [(name, id(module), "forward" in vars(module)) for name, module in network.named_modules()],
        "hooks": sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()),
        "host": (comfy.model_management.in_training, comfy.quant_ops.ck.rms_rope_split_half),
        "modes": (torch.is_inference_mode_enabled(), torch.is_grad_enabled()),
        "options": str(model.model_options["transformer_options"]),
    }


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", NAMES)
def test_everything_is_restored(monkeypatch, name, end, keep):
    tiny = tiny_networks()[name]
    model = tiny.load()
    plain = sample(tiny, model, steps=2)
    settings, error = ENDS[end]

    def action(gradient, x):
        before, x_before = state(model), x.clone()
        if error is None:
            gradient(**settings(), keep_attention=keep)
        else:
            with pytest.raises(error):
                gradient(**settings(), keep_attention=keep)
        assert state(model) == before and torch.equal(x, x_before)

    in_a_run(monkeypatch, tiny, model, action)
    monkeypatch.undo()
    assert torch.equal(sample(tiny, model, steps=2), plain)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_tensors_are_freed_without_the_garbage_collector(monkeypatch, tiny, model, end, keep):
    settings, error = ENDS[end]
    refs = []
    seen = Tap.seen

    def watched(self, call, edited):
        notes = seen(self, call, edited)
        refs.extend(weakref.ref(x) for x in (edited.q, edited.k, edited.v, *(note.value for note in notes)))
        return notes

    monkeypatch.setattr(Tap, "seen", watched)

    def action(gradient, x):
        gc.disable()
        try:
            gradient(**settings(), keep_attention=keep)
        except BaseException as raised:
            assert isinstance(raised, error)
            raised.__traceback__ = None
        finally:
            gc.enable()
        return sum(ref() is not None for ref in refs)

    assert in_a_run(monkeypatch, tiny, model, action) == 0 and refs
