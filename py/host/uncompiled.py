"""Network calls in which somebody acts run as they are written, whatever torch.compile has made of the network.

Compiled code is kept and used again by what dynamo watches, and hooks are not among that: code made without ours would hide the
attention, code made with them would go on acting elsewhere.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

DYNAMO = "torch._dynamo"  # imported by the first use of torch.compile; slow to import, so never by us


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
            self._inside += 1
            if self._stance is None and DYNAMO in sys.modules:
                self._stance = torch.compiler.set_stance("force_eager")
                self._stance.__enter__()
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside and self._stance is not None:
                    self._stance.__exit__(None, None, None)
                    self._stance = None


uncompiled = Uncompiled()
