"""Records where in the video, and when, each phrase of the prompt draws attention."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

import torch

from ..core.attention import Attention
from ..core.events import Branch, CallNotes, Forward, Note
from ..core.intervention import Observer, Where
from ..core.latent import Iteration
from ..prompts.timed_words import TimedWords, same_text
from .word_maps import KINDS, reads_text, word_maps


@dataclass(frozen=True, kw_only=True)
class WordRecorder(Observer):
    """Keeps words [P, F, h, w] of each step and sample: the phrases' attention, averaged over heads and blocks.

    Of several positive prompts only the one with the phrases counts: in others their rows are other words.

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
        """Only calls with one text for all frames, and with rows that read the phrases."""
        return self.words is not None and forward.text is None and bool(self.rows_of(forward))

    def rows_of(self, forward: Forward) -> tuple[int, ...]:
        """The rows of its branch, but for those whose conditioning is known to have another text."""
        return tuple(row for row in forward.rows(self.branch) if self._reads(forward, row))

    def idle(self) -> str:
        """Nothing that it may look at read the phrases."""
        return "no call read only the text of its phrases; connect the same text and CLIP to both, and no Video Synopsis Prompt"

    def keeps(self, iteration: Iteration) -> bool:
        """Only iterations for its own words."""
        return iteration.words == self.words

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

    def _reads(self, forward: Forward, row: int) -> bool:
        """Compared once a run, before the blocks: looking at numbers makes a GPU wait."""
        conditioning = forward.conditionings[row] if forward.conditionings else None
        text = forward.texts.get(conditioning)
        if text is None:
            return True
        key = self.words.digest, conditioning
        if key not in forward.memory:
            forward.memory[key] = same_text(self.words.context, text)
        return forward.memory[key]


def _mean(found: list[tuple[CallNotes, Note]]) -> CallNotes:
    call, note = found[0]
    value = torch.stack([other.value for _, other in found]).mean(0)
    return replace(call, notes=[replace(note, value=value)])
