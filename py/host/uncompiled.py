"""Network calls in which somebody acts run as they are written, whatever torch.compile has made of the network.

Compiled code is kept and used again by what dynamo watches, and hooks are not among that: code made without ours would hide the
attention, code made with them would go on acting elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from comfy_api.torch_helpers.torch_compile import TORCH_COMPILE_KWARGS
from torch import nn

from ..core.errors import TemporalAttentionError


def is_compiled(model_options: dict, network: nn.Module) -> bool:
    """Did the host compile the network, or another pack its parts?"""
    return TORCH_COMPILE_KWARGS in model_options or has_compiled_parts(network)


def has_compiled_parts(network: nn.Module) -> bool:
    """Is a compiled module in the place of one of the network's, or one compiled where it is?"""
    return any(hasattr(m, "_orig_mod") or getattr(m, "_compiled_call_impl", None) is not None for m in network.modules())


class Uncompiled:
    """The switch: on while at least one thread is inside (the host's multi-GPU calls the network from several)."""

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._stance = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Runs what is inside without compiled code."""
        with self._lock:
            if not self._inside:
                self._stance = _stance()
                self._stance.__enter__()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._stance.__exit__(None, None, None)


uncompiled = Uncompiled()


def _stance() -> AbstractContextManager:
    if not hasattr(torch.compiler, "set_stance"):
        raise TemporalAttentionError(
            "PyTorch 2.6 or newer, to act in a compiled network", torch.__version__, "Update PyTorch, or remove the compile node."
        )
    return torch.compiler.set_stance("force_eager")
