"""The gradient of a loss on tapped tensors with respect to the latent, through the network as the host has loaded it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import comfy.model_patcher
import comfy.samplers
import torch
from comfy.ldm.modules.attention import attention_pytorch
from comfy.model_base import BaseModel
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY
from torch import Tensor, nn

from ...core.errors import TemporalAttentionError
from ...core.events import CallNotes, Forward
from ...core.intervention import Observer
from ...core.latent import Loss
from ...core.pipeline import Pipeline, active
from ...core.run import Caller
from ..families import unwrapped
from ..forward import ForwardScope
from ..key import KEY
from ..uncompiled import has_compiled_parts
from .checkpoint import Checkpointed, Taps, replaced
from .conditioning import constant, saveable
from .host_paths import differentiable_host
from .weights import differentiable_weights

if TYPE_CHECKING:
    from ..sampling import Sampling

LOSS_SCALE = 2.0**8  # a power of two: exact in float32 and bfloat16; in float16 small gradients would become 0 in the network
CACHE_KEY = "easycache"  # of the host's EasyCache among the wrappers of the network


@dataclass(frozen=True, eq=False)
class Question:
    """A loss on what is tapped in the network, whose gradient at a latent is asked for.

    Args:
        sampling: the run in whose PREDICT_NOISE wrapper it is asked.
        model, conds, x, sigma, model_options: as `comfy.samplers.calc_cond_batch` takes them, x [B, C, T, H, W].
        tap: its `seen` returns, as notes, the tensors that the loss is made of; they must be small.
        loss: (what was tapped in one network call, in order) -> a scalar. Called with gradients on, before the call ends.
        keep_attention: keep one output [B, L, C] a block, so that attention runs once less.
    """

    sampling: Sampling
    model: BaseModel
    conds: list[dict]
    x: Tensor
    sigma: Tensor
    model_options: dict
    tap: Observer
    loss: Loss
    keep_attention: bool = False


def latent_gradient(asked: Question) -> Tensor:
    """The gradient at x, of its shape and dtype, for one set of conditionings, as the host would call the network now.

    The run's other interventions act. The network is left after the last tapped block. With context windows or several
    conditionings the network is called more than once: gradients are summed. ControlNets are held constant.

    Raises:
        TemporalAttentionError: where the tap finds nothing, or something in the model has no gradient.
    """
    network = unwrapped(asked.model.diffusion_model)
    _refuse_compiled(network)
    evaluation = Evaluation(asked)
    options = evaluation.options()
    with torch.inference_mode(False), torch.enable_grad(), differentiable_host(), differentiable_weights(network):
        evaluation.x = asked.x.clone().requires_grad_()
        with evaluation.apart_from_the_prediction():
            comfy.samplers.calc_cond_batch(asked.model, [constant(asked.conds)], evaluation.x, asked.sigma.clone(), options)
        return evaluation.result()


class _Left(Exception):
    """The network was left after the last tapped block."""


class Evaluation(Caller):
    """One evaluation of a gradient."""

    def __init__(self, asked: Question):
        self.asked, self.sampling, self.tap = asked, asked.sampling, asked.tap
        self.taps = Taps()
        self.x: Tensor | None = None
        self.gradients: list[Tensor] = []
        self.skipped: list[str] = []

    def options(self) -> dict:
        """A copy of the model options in which network calls come to us, uncompiled, not out of a cache, and on one device."""
        options = comfy.model_patcher.create_model_options_clone(self.asked.model_options)
        options.pop("multigpu_clones", None)
        wrappers = options["transformer_options"]["wrappers"]
        wrappers[WrappersMP.APPLY_MODEL].pop(COMPILE_KEY, None)
        wrappers[WrappersMP.APPLY_MODEL][KEY] = [self.apply_model]
        wrappers.get(WrappersMP.DIFFUSION_MODEL, {}).pop(CACHE_KEY, None)
        return options

    def result(self) -> Tensor:
        """The sum over all network calls."""
        if not self.gradients:
            reasons = "; ".join(dict.fromkeys(self.skipped)) or "no call of the network had one in the chosen blocks"
            raise TemporalAttentionError(
                f"an attention of kind {', '.join(sorted(self.tap.where.kinds))} to take gradients of",
                f"none in {self.sampling.adapter.family}: {reasons}",
                "Choose other blocks or another model; nodes that skip steps must be removed.",
            )
        return sum(self.gradients)

    @contextmanager
    def apart_from_the_prediction(self) -> Iterator[None]:
        """Inside, the run does not take our network calls for those of a prediction."""
        before, self.sampling.predicted = self.sampling.predicted, set()
        try:
            yield
        finally:
            self.sampling.predicted = before

    def apply_model(self, executor, x: Tensor, sigma: Tensor, *args, **kwargs) -> Tensor:
        """The host's APPLY_MODEL wrapper, around one network call; what it returns is of no use."""
        network = unwrapped(executor.class_obj.diffusion_model)
        describe = partial(self.describe, self.sampling.step(sigma))
        with ExitStack() as undo:
            undo.callback(self.taps.calls.clear)  # their graph holds the blocks' calls, which hold them
            scope = undo.enter_context(ForwardScope(self, self.sampling.adapter, network, describe, plain=attention_pytorch))
            begin = network.register_forward_pre_hook(lambda *call: self._begin(scope, undo, call[-1]), with_kwargs=True)
            undo.callback(begin.remove)
            with suppress(_Left):
                executor(x, *saveable((sigma, *args)), **saveable(kwargs))
        return torch.zeros_like(x)

    def describe(self, *call) -> Forward | None:
        """What a network call is: none of those that make the prediction."""
        forward = self.sampling.describe(*call)
        return forward and replace(forward, extra=True)

    def open(self, forward: Forward) -> Pipeline:
        """The pipeline of one network call: what acts in the run, then the tap, the only one that watches."""
        watching = active((self.tap,), replace(forward, extra=False))
        return Pipeline((*active(self.sampling.run.chain, forward), *watching), lambda *_: None, self._record)

    def skip(self, reason: str) -> None:
        """Remembers why nothing could be tapped."""
        self.skipped.append(reason)

    def remark(self, text: str) -> None:
        """Goes into the report of the run."""
        self.sampling.run.remark(text)

    def _record(self, observer: Observer, call: CallNotes) -> None:
        self.taps.calls.append(call)

    def _begin(self, scope: ForwardScope, undo: ExitStack, kwargs: dict) -> None:
        """Once the scope knows the call: puts checkpoints around the blocks and the exit behind the last tapped one."""
        kwargs["transformer_options"]["prefetch_dynamic_vbars"] = False  # blocks do not run in the order that it foretells
        adapter = self.sampling.adapter
        blocks = adapter.blocks(scope.network)
        tapped = [block for block in blocks if any(map(self.tap.where.matches, block.sites))]
        if scope.pipeline is None or not tapped:
            raise _Left
        modules = (*(block.module for block in blocks), *adapter.beside(scope.network))
        stand_ins = {module: Checkpointed(module, self.taps, self.asked.keep_attention) for module in modules}
        undo.enter_context(replaced(scope.network, stand_ins))
        leave = stand_ins[tapped[-1].module].register_forward_hook(lambda *_: self._finish())
        undo.callback(leave.remove)

    def _finish(self) -> None:
        if self.taps.calls:
            loss = LOSS_SCALE * self.asked.loss(self.taps.calls)
            self.gradients.append(torch.autograd.grad(loss, self.x)[0] / LOSS_SCALE)
        raise _Left


def _refuse_compiled(network: nn.Module) -> None:
    if has_compiled_parts(network):
        raise TemporalAttentionError(
            "a model compiled by ComfyUI's own TorchCompileModel node, or not at all",
            "one that another node has compiled in parts",
            "Remove that node.",
        )
