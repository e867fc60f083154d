"""Records where in the video, and when, each phrase of the prompt draws attention."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

import torch

from ..core.events import Attention, Branch, CallNotes, Forward, Note
from ..core.intervention import Observer, Where
from ..core.timed_words import TimedWords
from .word_maps import KINDS, reads_text, word_maps


@dataclass(frozen=True, kw_only=True)
class WordRecorder(Observer):
    """Keeps words [P, F, h, w] of each step and sample: the phrases' attention, averaged over heads and blocks.

    Args:
        words: the phrases; without any, nothing is kept.
    """

    words: TimedWords | None = None
    branch: Branch | None = Branch.COND
    where: Where = field(default_factory=lambda: Where(KINDS))

    def acts(self) -> bool:
        """False without phrases."""
        return self.words is not None

    def concerns(self, forward: Forward) -> bool:
        """Only calls with one text for all frames."""
        return self.words is not None and forward.text is None

    def seen(self, call: Attention, edited: Attention) -> list[Note]:
        """The maps of a call that reads text."""
        if not reads_text(call):
            return []
        grid = call.forward.grid
        maps = word_maps(edited, self.words.positions).unflatten(-1, (grid.height, grid.width))
        return [Note("words", call.rows, maps)]

    def digest(self, calls: list[CallNotes]) -> list[CallNotes]:
        """The mean over all blocks that saw the same rows and frames: one map a step instead of one a block."""
        gathered = defaultdict(list)
        for call in calls:
            for note in call.notes:
                if note.name == "words":
                    gathered[call.forward.frames, call.forward.samples, note.rows].append((call, note))
        return [_mean(found) for found in gathered.values()]


def _mean(found: list[tuple[CallNotes, Note]]) -> CallNotes:
    call, note = found[0]
    value = torch.stack([other.value for _, other in found]).mean(0)
    return replace(call, notes=[replace(note, value=value)])
