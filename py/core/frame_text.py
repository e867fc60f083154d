"""The text of each frame: key prompts as the network gets them, and which mixture of them each frame reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor

from ..maths.text_mixture import Mixture

if TYPE_CHECKING:
    from .events import Grid

Placement = Callable[[int], tuple[float, ...]]  # latent frames of the whole video -> place of each key prompt


@dataclass(frozen=True)
class KeyMark:
    """Marks a conditioning as number `index` of the `count` key prompts that share a placement."""

    placement: Placement
    index: int
    count: int


@dataclass(frozen=True, eq=False)
class KeyTexts:
    """The key prompts of one conditioning.

    `contexts` are their text tokens [1, T, C], each of its own length; `masks` [1, T] are 1 for words and 0 for padding, or None.
    """

    placement: Placement
    contexts: tuple[Tensor, ...]
    masks: tuple[Tensor | None, ...]


@dataclass(frozen=True)
class FrameText:
    """Which text each frame of one video reads: `mixtures` without repetition, and the number of its mixture for each frame."""

    mixtures: tuple[Mixture, ...]
    of_frame: tuple[int, ...]

    @classmethod
    def of(cls, frames: list[Mixture]) -> FrameText:
        """From the mixture of each frame."""
        mixtures = tuple(dict.fromkeys(frames))
        return cls(mixtures, tuple(map(mixtures.index, frames)))

    def segments(self, grid: Grid) -> list[tuple[slice, int]]:
        """The tokens of a sequence, cut where the mixture changes: (tokens, number of the mixture).

        Tokens before the video go with the first frame, those after it with the last.
        """
        cuts = [f for f in range(1, grid.frames) if self.of_frame[f] != self.of_frame[f - 1]]
        edges = [0, *(grid.start + f * grid.spatial for f in cuts), grid.tokens]
        return [(slice(*ends), self.of_frame[f]) for f, ends in zip((0, *cuts), pairwise(edges), strict=True)]


@dataclass(frozen=True)
class TextLayout:
    """How texts lie side by side in the text tokens of one network call.

    `plans` has an entry for each batch row, None for a row with one text for all frames. Mixture n stands at tokens n * length
    to (n + 1) * length; a row without a plan has its text in the first `own` tokens.
    """

    plans: tuple[FrameText | None, ...]
    length: int
    own: int

    def tokens(self, number: int) -> slice:
        """Where mixture `number` stands."""
        return slice(number * self.length, (number + 1) * self.length)

    def texts(self, plan: FrameText | None, tokens: int) -> list[slice]:
        """The texts that stand side by side in a row of so many tokens; without a plan, its own and what only fills it up."""
        edges = range(0, tokens + 1, self.length) if plan else sorted({0, self.own, tokens})
        return [slice(*pair) for pair in pairwise(edges)]
