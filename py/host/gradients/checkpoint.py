"""Blocks that keep only their inputs and run again when their gradient is due; right also for blocks that write in place.

PyTorch's own checkpoint gives silently wrong gradients there: the second run would start from what the first has overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from ...core.errors import TemporalAttentionError
from ...core.events import CallNotes
from ..override import SLOT
from .attention import GradientKernel
from .copy_on_write import copy_on_write


class Taps:
    """What was tapped so far in a forward, with its graph."""

    def __init__(self):
        self.calls: list[CallNotes] = []

    @contextmanager
    def apart(self) -> Iterator[list[CallNotes]]:
        """Inside, what is tapped goes into the list that this gives."""
        before, self.calls = self.calls, []
        try:
            yield self.calls
        finally:
            self.calls = before


class Checkpointed(nn.Module):
    """Stands in the place of a block, so that the hooks on the block run again with it."""

    def __init__(self, block: nn.Module, taps: Taps, keep_attention: bool):
        super().__init__()
        self.block = block
        self._taps, self._keep_attention = taps, keep_attention

    def __getattr__(self, name: str) -> Any:
        block = self.__dict__["_modules"]["block"]
        return block if name == "block" else getattr(block, name)

    def forward(self, *args, **kwargs) -> Any:
        """What the block returns."""
        options = kwargs.get("transformer_options")
        if options is not None:
            _refuse_gradients_in(options)
            kernel = GradientKernel(options.get(SLOT), self._keep_attention)
            kwargs["transformer_options"] = _Held({**options, SLOT: kernel.override})
        return _Call(self.block, args, kwargs, self._taps)()


@contextmanager
def replaced(network: nn.Module, stand_ins: dict[nn.Module, nn.Module]) -> Iterator[None]:
    """Inside, each module that is a key stands aside for its value, wherever it is in the network."""
    places = [
        (parent._modules, name, child)
        for parent in network.modules()
        for name, child in parent._modules.items()
        if child in stand_ins
    ]
    try:
        for siblings, name, child in places:
            siblings[name] = stand_ins[child]
        yield
    finally:
        for siblings, name, child in places:
            siblings[name] = child


@dataclass(frozen=True)
class _Held:
    """Options that are not taken apart; each run gets a copy, since whoever reads them also writes into them."""

    value: dict


class _Missing:
    """The place of a tensor among the arguments of a call."""


class _Call:
    """One call of a block, to be run twice: its tensors are given each time, the rest of its arguments stays here."""

    def __init__(self, block: nn.Module, args: tuple, kwargs: dict, taps: Taps):
        self.block, self.taps = block, taps
        leaves, self.spec = tree_flatten((args, kwargs))
        self.tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        self.rest = [_Missing if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self.returns: TreeSpec | None = None
        self.tapped: list[CallNotes] = []

    def __call__(self) -> Any:
        tensors, self.tensors = self.tensors, []
        outputs = _Recomputed.apply(self, *(x.clone() if x.is_inference() else x for x in tensors))
        returned = self.returns.num_leaves
        values = iter(outputs[returned:])
        self.taps.calls += [_with_values(call, values) for call in self.tapped]
        return tree_unflatten(outputs[:returned], self.returns)

    def run(self, tensors: list[Tensor]) -> tuple[Tensor, ...]:
        """The block's results, then what was tapped in it."""
        given = iter(tensors)
        leaves = (
            next(given) if leaf is _Missing else dict(leaf.value) if isinstance(leaf, _Held) else leaf for leaf in self.rest
        )
        args, kwargs = tree_unflatten(leaves, self.spec)
        with self.taps.apart() as calls:
            results, self.returns = tree_flatten(self.block(*args, **kwargs))
        self.tapped = [_with_values(call, repeat(None)) for call in calls]
        return *results, *(note.value for call in calls for note in call.notes)


def _refuse_gradients_in(options: dict) -> None:
    if any(isinstance(x, Tensor) and x.requires_grad for x in tree_leaves(options)):
        raise TemporalAttentionError(
            "transformer options that do not depend on the latent",
            f"some of {', '.join(map(str, options))} that do",
            "Remove the node that adds them: gradients would be wrong.",
        )


def _with_values(call: CallNotes, values: Iterator[Tensor | None]) -> CallNotes:
    return replace(call, notes=[replace(note, value=next(values)) for note in call.notes])


class _Recomputed(torch.autograd.Function):
    """Runs a call without a graph; backward runs it again with one and goes through that."""

    @staticmethod
    def forward(ctx, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        return call.run([x.clone() for x in tensors])

    @staticmethod
    def backward(ctx, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[1:]
        inputs = [x.detach().requires_grad_(need) for x, need in zip(ctx.saved_tensors, needed, strict=True)]
        with torch.enable_grad(), copy_on_write():
            outputs = zip(ctx.call.run([x.clone() for x in inputs]), gradients, strict=True)
            due = [(out, g) for out, g in outputs if g is not None and out.requires_grad]
            del outputs  # with what is not due goes the graph that led there
            wanted = [x for x in inputs if x.requires_grad]
            found = iter(torch.autograd.grad([out for out, _ in due], wanted, [g for _, g in due], allow_unused=True))
        return None, *(next(found) if need else None for need in needed)
