"""Gradients through code that writes in place: what the graph has saved is copied just before something overwrites it.

PyTorch's `allow_mutation_on_saved_tensors` knows tensors by the place where their memory stood, which a later, short-lived tensor
may have taken. Here what is saved keeps its memory, so that no other tensor can stand there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from torch import Tensor
from torch._ops import OpOverload
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@contextmanager
def copy_on_write() -> Iterator[None]:
    """Inside, a graph may be built and gone through although its saved tensors are written to."""
    saved: dict[int, WeakSet[_Saved]] = defaultdict(WeakSet)

    def pack(x: Tensor) -> _Saved:
        kept = _Saved(x)
        saved[_memory(x)].add(kept)
        return kept

    with saved_tensors_hooks(pack, lambda kept: kept.tensor), _CopyBeforeWriting(saved):
        yield


class _Saved:
    """A tensor that the graph has saved: the memory itself, or a copy once that is to be overwritten."""

    def __init__(self, x: Tensor):
        self.tensor = x.detach()


class _CopyBeforeWriting(TorchDispatchMode):
    def __init__(self, saved: dict[int, WeakSet[_Saved]]):
        super().__init__()
        self._saved = saved

    def __torch_dispatch__(self, func: OpOverload, types: tuple, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        given = kwargs or {}
        for x in _written(func, args, given):
            _copy(self._saved.pop(_memory(x), ()))
        return func(*args, **given)


def _copy(saved: Iterable[_Saved]) -> None:
    """What was saved more than once is copied once."""
    copies: dict[tuple, Tensor] = {}
    for kept in saved:
        x = kept.tensor
        place = x.storage_offset(), x.shape, x.stride(), x.dtype
        if place not in copies:
            copies[place] = x.clone()
        kept.tensor = copies[place]


def _written(func: OpOverload, args: tuple, kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that an operation writes to, by its schema."""
    if not func._schema.is_mutable:
        return []
    named = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
    writes = [argument.name for argument in func._schema.arguments if argument.alias_info and argument.alias_info.is_write]
    return [x for x in tree_leaves([named.get(name) for name in writes]) if isinstance(x, Tensor)]


def _memory(x: Tensor) -> int:
    return x.untyped_storage()._cdata
