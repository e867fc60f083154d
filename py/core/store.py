"""The last runs that were traced, found again by the latent they returned.

A node's TRACE output cannot hold the run: the host caches a sampler's LATENT and evicts and re-executes the trace node
on its own terms, and two samplers may run on one traced MODEL before any picture is drawn.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

import torch

from .trace import Trace

MOST_RUNS = 8
MOST_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Found:
    """A traced run; `exact` is False where no run returned the latent and the newest one stands in."""

    trace: Trace
    exact: bool


class RunStore:
    """A bounded store of traces by (fingerprint of the returned latent, settings of the recorder)."""

    def __init__(self, most_runs: int = MOST_RUNS, most_bytes: int = MOST_BYTES):
        self._runs: OrderedDict[tuple[str, object], Trace] = OrderedDict()
        self._lock = threading.Lock()
        self.most_runs, self.most_bytes = most_runs, most_bytes

    def put(self, latent: torch.Tensor, recorder: object, trace: Trace) -> None:
        """Stores a run; drops the oldest ones past the bounds, but never the one that is put."""
        key = (fingerprint(latent), recorder)
        with self._lock:
            self._runs.pop(key, None)
            self._runs[key] = trace
            while len(self._runs) > 1 and (len(self._runs) > self.most_runs or self._bytes() > self.most_bytes):
                self._runs.popitem(last=False)

    def move(self, made: torch.Tensor, returned: torch.Tensor) -> None:
        """Whoever ran the sampler returns another latent than it made: its runs are found by that one from now on."""
        old, new = fingerprint(made), fingerprint(returned)
        with self._lock:
            for recorder in [r for latent, r in self._runs if latent == old]:
                self._runs[new, recorder] = self._runs.pop((old, recorder))

    def find(self, latent: torch.Tensor, recorder: object) -> Found | None:
        """The run of `recorder` that returned this latent, else its newest one, else None."""
        key = (fingerprint(latent), recorder)
        with self._lock:
            if key in self._runs:
                return Found(self._runs[key], exact=True)
            newest = [trace for (_, r), trace in self._runs.items() if r == recorder]
        return Found(newest[-1], exact=False) if newest else None

    def clear(self) -> None:
        """Forgets every run."""
        with self._lock:
            self._runs.clear()

    def _bytes(self) -> int:
        return sum(trace.nbytes for trace in self._runs.values())


def fingerprint(latent: torch.Tensor) -> str:
    """A hash of shape and content, equal before and after the host's cast to its intermediate dtype.

    A nested latent (video and audio) is hashed part by part.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in latent.unbind() if latent.is_nested else (latent,):
        digest.update(repr(tuple(part.shape)).encode())
        digest.update(part.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()


RUNS = RunStore()
