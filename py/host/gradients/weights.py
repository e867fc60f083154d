"""Layers that pass gradients to their input, whatever their weights are: cast, offloaded, quantised, patched, inference tensors.

Autograd never keeps a weight. With offloading or dynamic loading a cast weight is a loan that the next layer may overwrite,
so each is asked of the host once more when the gradient of its layer is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import comfy.ops
import torch
from comfy.model_management import cast_to_device
from comfy.quant_ops import QuantizedTensor
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.errors import TemporalAttentionError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMALISATIONS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)


@contextmanager
def differentiable_weights(network: nn.Module) -> Iterator[None]:
    """Inside, gradients flow through every layer of the network; afterwards it is as it was.

    Raises TemporalAttentionError where another node has replaced the forward of a layer.
    """
    with ExitStack() as undo:
        for module in network.modules():
            if isinstance(module, comfy.ops.CastWeightBiasOp):
                _replace_forward(module, undo)
            else:
                _replace_inference_tensors(module, undo)
        yield


def _replace_forward(module: nn.Module, undo: ExitStack) -> None:
    if "forward" in vars(module):
        raise TemporalAttentionError(
            "a model whose layers are ComfyUI's own",
            f"a {type(module).__name__} layer that another node has replaced",
            "Load the LoRA with the usual loader instead of in bypass mode, or remove that node.",
        )
    if getattr(module, "weight", None) is not None:
        module.forward = _with_gradient(module, module.forward)
        undo.callback(vars(module).pop, "forward")


def _replace_inference_tensors(module: nn.Module, undo: ExitStack) -> None:
    """Small parameters that the network reads by itself: autograd may save the copies, as it may not save the originals."""
    for store in (module._parameters, module._buffers):
        for name, value in list(store.items()):
            if value is not None and value.is_inference():
                undo.callback(store.__setitem__, name, value)
                copy = value.detach().clone()
                store[name] = nn.Parameter(copy, requires_grad=False) if store is module._parameters else copy


def _with_gradient(module: nn.Module, forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    function = _function_of(module)

    def run(x: Tensor, *args, **kwargs) -> Tensor:
        if not (torch.is_grad_enabled() and x.requires_grad):
            return forward(x, *args, **kwargs)
        if function is None or args or kwargs:
            raise TemporalAttentionError(
                "a network of linear, convolution and normalisation layers between latent and attention",
                type(module).__name__,
                "Gradients do not work with this model.",
            )
        return function.apply(x, module, forward)

    return run


def _function_of(module: nn.Module) -> type[torch.autograd.Function] | None:
    if isinstance(module, NORMALISATIONS):
        return _Normalisation
    if isinstance(module, CONVOLUTIONS) and module.padding_mode == "zeros":
        return _Convolution
    return _Linear if hasattr(module, "in_features") else None  # the host's quantised Linear is no nn.Linear


@contextmanager
def _weight(module: nn.Module, like: Tensor) -> Iterator[Tensor]:
    """The weight in the dtype and on the device of `like`, patches included: a loan until the block ends."""
    if hasattr(module, "cast_bias_weight"):  # layers of GGUF files unpack their own weights
        yield module.cast_bias_weight(like)[0]
        return
    weight, bias, loan = comfy.ops.cast_bias_weight(module, like, offloadable=True)
    try:
        yield weight.dequantize() if isinstance(weight, QuantizedTensor) else weight
    finally:
        comfy.ops.uncast_bias_weight(module, weight, bias, loan)


class _Linear(torch.autograd.Function):
    """y = x W^T + b; dx = dy W."""

    @staticmethod
    def forward(ctx, x: Tensor, module: nn.Module, forward: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.module, ctx.dtype = module, x.dtype
        return forward(x)

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple[Tensor, None, None]:
        with _weight(ctx.module, dy) as weight:
            dx = dy @ weight
        smoothing = getattr(ctx.module, "pre_quant_scale", None)  # what quantised layers multiply their input by
        dx = dx if smoothing is None else dx * cast_to_device(smoothing, dx.device, dx.dtype)
        return dx.to(ctx.dtype), None, None


class _Convolution(torch.autograd.Function):
    """A convolution padded with zeros; dx is the transposed convolution of dy."""

    @staticmethod
    def forward(ctx, x: Tensor, module: nn.Module, forward: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.module, ctx.shape, ctx.dtype = module, x.shape, x.dtype
        return forward(x)

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple[Tensor, None, None]:
        module = ctx.module
        of_input = getattr(nn.grad, f"conv{dy.ndim - 2}d_input")
        with _weight(module, dy) as weight:
            dx = of_input(ctx.shape, weight, dy, module.stride, module.padding, module.dilation, module.groups)
        return dx.to(ctx.dtype), None, None


class _Normalisation(torch.autograd.Function):
    """y = n(x) w + b with a parameterless n; dx is the gradient of n at x for dy w."""

    @staticmethod
    def forward(ctx, x: Tensor, module: nn.Module, forward: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.module = module
        ctx.save_for_backward(x)
        return forward(x)

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple[Tensor, None, None]:
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with _weight(ctx.module, x) as weight:
            per_channel = weight.unflatten(0, (-1, *[1] * (x.ndim - 2))) if isinstance(ctx.module, nn.GroupNorm) else weight
            dy = dy * per_channel
        with torch.enable_grad():
            normalised = _normalised(ctx.module, x)
        return torch.autograd.grad(normalised, x, dy)[0], None, None


def _normalised(module: nn.Module, x: Tensor) -> Tensor:
    if isinstance(module, nn.GroupNorm):
        return F.group_norm(x, module.num_groups, eps=module.eps)
    norm = F.layer_norm if isinstance(module, nn.LayerNorm) else F.rms_norm
    return norm(x, module.normalized_shape, eps=module.eps)
