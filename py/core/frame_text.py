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
    from .joint_text import JointText

Placement = Callable[[int], tuple[tuple[float, ...], str]]  # latent frames of the video -> place of each key prompt, a warning


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
class RowText:
    """The texts side by side in one batch row: number n at tokens edges[n] to edges[n + 1], for the frames that `plan` says."""

    plan: FrameText
    edges: tuple[int, ...]

    def tokens(self, number: int) -> slice:
        """Where text `number` stands."""
        return slice(*self.edges[number : number + 2])


@dataclass(frozen=True)
class TextLayout:
    """How texts lie in the text tokens of one network call.

    `rows` has an entry for each batch row, None for a row with one text for all frames, which is in the first `own` tokens.
    `joint` is set where text and video attend to each other in one sequence.
    """

    rows: tuple[RowText | None, ...]
    own: int
    joint: JointText | None = None

    def texts(self, row: RowText | None, tokens: int) -> list[slice]:
        """Where the texts of a row lie among its `tokens` text tokens, and last the padding behind them, if any."""
        edges = sorted({*(row.edges if row else (0, self.own)), tokens})
        return [slice(*pair) for pair in pairwise(edges)]
