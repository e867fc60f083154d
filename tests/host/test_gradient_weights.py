"""Gradients through weights in every form in which the host holds them."""

import json

import comfy.ops
import comfy.sd
import pytest
import torch
from comfy.quant_ops import QuantizedTensor
from families import random_weights, tiny_networks
from gradients import in_a_run
from networks import wan
from torch import nn

from pack.py.core.errors import TemporalAttentionError
from pack.py.host.families import network_of
from pack.py.host.gradients.weights import differentiable_weights

TINY = tiny_networks()["wan_t2v"]
FP8 = torch.float8_e4m3fn


def rounded(dtype):
    """Weights that both the dtype and float32 hold exactly."""
    return {name: value.to(dtype).float() for name, value in random_weights(wan.network()).items()}


def loaded(weights, dtype):
    model = comfy.sd.load_diffusion_model_state_dict(dict(weights), model_options={"dtype": dtype}, metadata=wan.METADATA)
    assert network_of(model).blocks[0].ffn[0].weight.dtype == dtype
    return model


def quantised(weights):
    """The same linear layers of the blocks in the host's own scaled fp8 format."""
    found = {}
    for name, value in weights.items():
        if name.startswith("blocks.") and name.endswith("weight") and value.ndim == 2:
            layer, scale = name.removesuffix(".weight"), value.abs().max() / 448
            found[name], found[f"{layer}.weight_scale"] = (value / scale).to(FP8), scale
            settings = json.dumps({"format": "float8_e4m3fn"}).encode()
            found[f"{layer}.comfy_quant"] = torch.frombuffer(bytearray(settings), dtype=torch.uint8)
        else:
            found[name] = value
    return comfy.sd.load_diffusion_model_state_dict(found, model_options={"dtype": torch.float32}, metadata=wan.METADATA)


def gradient_of(monkeypatch, model):
    return in_a_run(monkeypatch, TINY, model, lambda gradient, x: gradient()[1])


def cosine(a, b):
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


@pytest.mark.parametrize("dtype,least", [(torch.bfloat16, 0.99), (torch.float16, 0.9999), (FP8, 0.99)], ids=str)
def test_other_dtypes_are_close_to_float32(monkeypatch, dtype, least):
    weights = rounded(dtype)
    reference = gradient_of(monkeypatch, loaded(weights, torch.float32))
    found = gradient_of(monkeypatch, loaded(weights, dtype))
    assert found.dtype == reference.dtype == torch.float32
    assert cosine(found, reference) > least and float(found.norm() / reference.norm()) == pytest.approx(1, abs=0.05)


def test_computing_in_bfloat16_is_close_to_float32(monkeypatch):
    weights = rounded(torch.bfloat16)
    model = loaded(weights, torch.bfloat16)
    model.set_model_compute_dtype(torch.bfloat16)
    reference, found = gradient_of(monkeypatch, loaded(weights, torch.float32)), gradient_of(monkeypatch, model)
    assert found.dtype == torch.float32 and not torch.equal(found, reference)
    assert cosine(found, reference) > 0.99


def test_quantised_layers_are_close_to_float32(monkeypatch):
    weights = random_weights(wan.network())
    model = quantised(weights)
    assert isinstance(network_of(model).blocks[0].ffn[0].weight, QuantizedTensor)
    reference, found = gradient_of(monkeypatch, loaded(weights, torch.float32)), gradient_of(monkeypatch, model)
    assert cosine(found, reference) > 0.95


def test_patches_that_the_host_applies_while_it_casts_count(monkeypatch):
    model = TINY.load()
    plain = gradient_of(monkeypatch, model)
    layer = network_of(model).blocks[0].cross_attn.q
    baked = gradient_of(monkeypatch, with_weight(model, layer, 2 * layer.weight))
    layer.weight_function = [lambda weight: 2 * weight]
    found = gradient_of(monkeypatch, model)
    assert torch.equal(found, baked) and not torch.allclose(found, plain)


def with_weight(model, layer, weight):
    """Another MODEL with one weight replaced."""
    other = TINY.load()
    name = next(name for name, module in network_of(model).named_modules() if module is layer)
    network_of(other).get_submodule(name).weight = nn.Parameter(weight, requires_grad=False)
    return other


class Packed(comfy.ops.manual_cast.Linear):
    """Unpacks its own weight, as the layers of GGUF files do."""

    def cast_bias_weight(self, like):
        return 2 * self.weight.to(like), None

    def forward(self, x):
        return x @ self.cast_bias_weight(x)[0].mT


def awq():
    layer = comfy.ops.mixed_precision_ops().Linear(6, 4)
    layer.weight = nn.Parameter(torch.randn(4, 6), requires_grad=False)
    layer.pre_quant_scale = torch.rand(6) + 0.5
    return layer


OPS = comfy.ops.manual_cast
LAYERS = {
    "linear": (lambda: OPS.Linear(6, 4), (2, 5, 6)),
    "packed": (lambda: Packed(6, 4, bias=False), (2, 5, 6)),
    "smoothed": (awq, (2, 5, 6)),
    "conv1d": (lambda: OPS.Conv1d(4, 6, 3, stride=2, padding=1), (2, 4, 9)),
    "conv2d": (lambda: OPS.Conv2d(4, 6, 3, dilation=2, groups=2), (2, 4, 9, 8)),
    "conv3d": (lambda: OPS.Conv3d(4, 6, (1, 2, 2), stride=(1, 2, 2)), (2, 4, 3, 6, 6)),
    "layer norm": (lambda: OPS.LayerNorm(6), (2, 5, 6)),
    "rms norm": (lambda: OPS.RMSNorm(6, eps=1e-5), (2, 5, 6)),
    "norm without weights": (lambda: OPS.LayerNorm(6, elementwise_affine=False), (2, 5, 6)),
    "group norm": (lambda: OPS.GroupNorm(2, 6), (2, 6, 4, 4)),
}


@pytest.mark.parametrize("make,shape", LAYERS.values(), ids=LAYERS)
def test_every_kind_of_layer_against_autograd(make, shape):
    layer = make()
    for value in layer.parameters():
        value.requires_grad_(False).copy_(torch.randn(value.shape))
    assert all(value.is_inference() for value in layer.parameters())
    network = nn.Sequential(layer)
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.randn(shape).requires_grad_()
        weights = torch.randn(layer(x.detach()).shape)
        with differentiable_weights(network):
            y = network(x)
            (found,) = torch.autograd.grad((y * weights).sum(), x)
        for name, value in list(layer.named_parameters()):
            setattr(layer, name, nn.Parameter(value.clone(), requires_grad=False))
        for name, value in vars(layer).items():
            vars(layer)[name] = value.clone() if isinstance(value, torch.Tensor) else value
        expected_y = layer(x)
        (expected,) = torch.autograd.grad((expected_y * weights).sum(), x)
    torch.testing.assert_close(y, expected_y)
    torch.testing.assert_close(found, expected)
    assert "forward" not in vars(layer)


def test_nothing_of_the_graph_holds_a_weight():
    layer = OPS.Linear(64, 64)
    lent = []
    with torch.inference_mode(False), torch.enable_grad(), differentiable_weights(nn.Sequential(layer)):
        with torch.autograd.graph.saved_tensors_hooks(lambda t: lent.append(tuple(t.shape)) or t, lambda t: t):
            layer(torch.randn(3, 64).requires_grad_())
    assert (64, 64) not in lent


def test_layers_that_another_node_replaced_and_unknown_ones_are_refused(monkeypatch, tiny, model):
    layer = network_of(model).blocks[1].ffn[0]
    layer.forward = lambda x: x
    with pytest.raises(TemporalAttentionError, match="bypass"):
        in_a_run(monkeypatch, tiny, model, lambda gradient, x: gradient())
    del layer.forward
    odd = OPS.ConvTranspose1d(4, 4, 3)
    with torch.inference_mode(False), torch.enable_grad(), differentiable_weights(nn.Sequential(odd)):
        with pytest.raises(TemporalAttentionError, match="ConvTranspose1d"):
            odd(torch.randn(1, 4, 5).requires_grad_())
