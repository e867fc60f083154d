"""Long loops inside a node: a progress bar, and an end where the user interrupts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

TICKS = 1000  # of the bar, for one loop


class Watch:
    """Wraps the loops of one node, known in number, so that its one bar runs through all of them.

    Raises the host's InterruptProcessingException before an item if the user interrupted.
    """

    def __init__(self, loops: int):
        self._bar = ProgressBar(loops * TICKS)
        self._loops_done = 0

    def __call__(self, items: Sequence) -> Iterator:
        start = self._loops_done * TICKS
        for done, item in enumerate(items, 1):
            throw_exception_if_processing_interrupted()
            yield item
            self._bar.update_absolute(start + TICKS * done // len(items))
        self._loops_done += 1
