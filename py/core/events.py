"""What an intervention is shown: where it is in the network, when it is in the run, and what a block returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from torch import Tensor
from torch.nn.functional import pad

from .frame_text import KeyTexts, TextLayout
from .guidance import Asked
from .latent_frames import LatentFrames


class Branch(Enum):
    """Which side of classifier-free guidance a batch row belongs to."""

    COND = "cond"
    UNCOND = "uncond"


@dataclass(frozen=True)
class Site:
    """One attention of one block.

    `kind` is "self" (video on video), "cross" (video on other tokens), "joint" (video and text in one sequence),
    "temporal" (each position over its frames), "spatial" (each frame alone), "text" (the text on itself) or "control"
    (cross-attention of a side stream as long as the video). `keys` says what a cross-attention reads: "text" or "image".
    """

    block: int
    blocks: int
    kind: str
    keys: str = "video"

    @property
    def depth(self) -> float:
        """Place of the block in the network: 0 = first, 1 = last (0 for a network of one block)."""
        return self.block / max(self.blocks - 1, 1)


@dataclass(frozen=True)
class Grid:
    """How the video lies in a token sequence: `frames` x `height` x `width` tokens, row-major, from token `start` on.

    `tokens` is the length of the whole sequence, reference and text tokens included. `level` says how many times fewer
    columns there are than at the network's widest (1 but inside a UNet). In a joint sequence the prompt begins at token `text`.
    A frame of tokens joins `patch` latent frames.
    """

    frames: int
    height: int
    width: int
    tokens: int
    start: int = 0
    level: int = 1
    text: int = 0
    patch: int = 1

    @property
    def spatial(self) -> int:
        """Tokens of one frame (S)."""
        return self.height * self.width

    @property
    def video(self) -> slice:
        """The video tokens of the sequence."""
        return slice(self.start, self.start + self.frames * self.spatial)

    @property
    def alone(self) -> Grid:
        """The same video in a sequence without any other tokens."""
        return replace(self, tokens=self.frames * self.spatial, start=0)

    def by_frame(self, x: Tensor) -> Tensor:
        """[B, H, L, D] -> its video tokens as [B, H, F, S, D] (a view)."""
        return x[:, :, self.video].unflatten(2, (self.frames, self.spatial))

    def among_tokens(self, x: Tensor) -> Tensor:
        """[B, H, F, S, D] -> [B, H, L, D] with zeros at the tokens that are no video."""
        x = x.flatten(2, 3)
        return x if x.shape[2] == self.tokens else pad(x, (0, 0, self.start, self.tokens - self.video.stop))


@dataclass(frozen=True)
class Step:
    """Where the run is.

    `index` of `total` steps of this sampler, the current `sigma`, `progress` (the p whose
    `model_sampling.percent_to_sigma(p)` is sigma: the host's own start/end percents) and `noise`
    (share of noise in the latent: 1 = pure noise).
    """

    index: int
    total: int
    sigma: float
    progress: float
    noise: float


@dataclass(frozen=True)
class Forward:
    """One call of the network: its step, how the video lies in the tokens, and whose each batch row is.

    The `grid` of an event is that of the event's own tokens: text tokens, say, are in a joint attention but not in a block's
    video output.

    `samples` numbers the rows of one branch. `latents` are the latent frames that the call sees, all where none are given;
    `windowed` says that it is for a context window, over time or in the picture. `extra` marks what is no part of the sampler's
    own prediction: a second pass over a prompt, such as the degraded one of a guidance node, or one for a gradient. `keys` has
    the key prompts of each row that has several, and `text` says how their mixtures lie in the network's text tokens.
    `conditionings` identifies the prompt of each row, `texts` has the encoded text [B, L, C] of prompts that have one, `asked` is
    set in a call that an intervention asked for, and `memory` lasts as long as the run.
    """

    step: Step
    grid: Grid
    branches: tuple[Branch, ...]
    samples: tuple[int, ...]
    latents: LatentFrames | None = None
    windowed: bool = False
    extra: bool = False
    keys: tuple[KeyTexts | None, ...] = ()
    text: TextLayout | None = None
    conditionings: tuple[object, ...] = ()
    texts: Mapping[object, Tensor] = field(default_factory=dict, compare=False)
    asked: Asked | None = None
    memory: dict = field(default_factory=dict, compare=False)

    def __post_init__(self):
        if self.latents is None:
            object.__setattr__(self, "latents", LatentFrames.all(self.grid.frames * self.grid.patch, self.grid.patch))

    @property
    def frames(self) -> tuple[int, ...] | None:
        """The frames of tokens of a context window among those of the whole video; None where they are all of it."""
        return self.latents.places

    @property
    def whole(self) -> int:
        """Frames of tokens of the whole video."""
        return self.latents.tokens

    def rows(self, branch: Branch | None) -> tuple[int, ...]:
        """The batch rows of a branch (None = all)."""
        return tuple(i for i, b in enumerate(self.branches) if branch is None or b is branch)


@dataclass(frozen=True)
class Note:
    """A value that somebody wants on the trace: one entry along its first axis for each batch row in `rows`."""

    name: str
    rows: tuple[int, ...]
    value: Tensor


@dataclass(frozen=True)
class CallNotes:
    """What one observer keeps of one attention call or block output."""

    site: Site
    forward: Forward
    notes: list[Note]


@dataclass(frozen=True)
class Block:
    """The output of one block: its video tokens x [B, F * S, C], row-major, for the batch rows `rows`."""

    site: Site
    forward: Forward
    x: Tensor
    rows: tuple[int, ...]

    def edit(self, **changes) -> Block:
        """A changed copy; nothing is written in place."""
        return replace(self, **changes)
