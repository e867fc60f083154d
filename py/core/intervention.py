"""The one way to act on a network: a frozen set of settings with hooks that the pipeline calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import ReferenceType

from torch import Tensor

from .attention import Attention
from .errors import TemporalAttentionError
from .events import Block, Branch, CallNotes, Forward, Note, Site, Step
from .frame_text import FrameText, KeyTexts
from .guidance import Prediction
from .latent import Iteration, LatentStep
from .live import Live


@dataclass(frozen=True)
class Window:
    """The part of a run in which an intervention acts, in progress p: start <= p <= end."""

    start: float = 0.0
    end: float = 1.0

    def __post_init__(self):
        if not 0.0 <= self.start <= self.end <= 1.0:
            raise TemporalAttentionError(
                "a window with 0 <= start <= end <= 1",
                f"start {self.start}, end {self.end}",
                "Set the start percent below the end percent.",
            )

    def contains(self, step: Step) -> bool:
        """Is this step inside the window?"""
        return self.start <= step.progress <= self.end


@dataclass(frozen=True)
class Where:
    """The attentions and blocks on which an intervention acts: kinds of site, and block numbers (None = all)."""

    kinds: frozenset[str] = frozenset({"self", "joint", "temporal"})
    blocks: frozenset[int] | None = None

    def matches(self, site: Site) -> bool:
        """Is this site meant?"""
        return site.kind in self.kinds and (self.blocks is None or site.block in self.blocks)

    def check(self, blocks: int) -> None:
        """Raises TemporalAttentionError where a block number is outside a network of `blocks` blocks."""
        outside = sorted(b for b in self.blocks or () if b >= blocks)
        if outside:
            raise TemporalAttentionError(
                f"block numbers from 0 to {blocks - 1} (this network has {blocks} blocks)",
                f"block {', '.join(map(str, outside))}",
                "Change the block range.",
            )


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """Base of every technique. A subclass adds its settings as fields and overrides the hooks that it needs.

    Hooks never write into the tensors they are given; an unchanged return means "no change" and costs nothing.
    """

    window: Window = field(default_factory=Window)
    where: Where = field(default_factory=Where)
    branch: Branch | None = None

    @classmethod
    def neutral(cls) -> Intervention:
        """Settings with which a run is bit-identical to one without the intervention."""
        raise NotImplementedError(f"{cls.__name__} must say which settings change nothing")

    def acts(self) -> bool:
        """False where the settings are neutral: the intervention is then left out of the run."""
        return True

    def concerns(self, forward: Forward) -> bool:
        """False where this network call holds nothing for the intervention, whatever its sites are."""
        return True

    def rows_of(self, forward: Forward) -> tuple[int, ...]:
        """The batch rows of a network call that it is handed: those of its branch."""
        return forward.rows(self.branch)

    def idle(self) -> str:
        """Why no network call of a run concerned it, and what to do, for the report."""
        return f"no step fell into its window {self.window.start:g}-{self.window.end:g}; widen it"

    def unchanged(self) -> str:
        """Why it changed none of the calls that it was handed, for the report."""
        return "its strength is 0 in these blocks and steps"

    def before(self, call: Attention) -> Attention:
        """Edits q, k, v or the bias before the kernel, so that fused kernels stay in use."""
        return call

    def after(self, call: Attention, out: Tensor) -> Tensor:
        """Edits the output [B, H, Lq, D] of an attention."""
        return out

    def block(self, call: Block) -> Block:
        """Edits the output of a block."""
        return call

    def asks(self, forward: Forward) -> tuple[int, Branch] | None:
        """Will it ask for more predictions of this side, changed from this block on? What comes before is then kept for them."""
        return None

    def guide(self, prediction: Prediction) -> Tensor:
        """Combines the predictions of a step, after classifier-free guidance and the guidance of others."""
        return prediction.denoised

    def latent(self, latent: LatentStep) -> Tensor:
        """Changes the sampler's latent before the first denoiser call of a step."""
        return latent.x

    def has(self, hook: str) -> bool:
        """Does this class override the hook `before`, `after`, `block`, `guide`, `latent`, `seen` or `block_seen`?"""
        own = getattr(type(self), hook, None)
        return own is not None and own is not getattr(Observer, hook)


@dataclass(frozen=True, kw_only=True)
class Observer(Intervention):
    """An intervention that only looks. Observers run after all others and see what the kernel really received.

    `live` shows what is recorded while the run goes on. Observers that differ only in it are equal: they record the same.
    `network` is what it was put on: equal recorders on two networks, such as Wan 2.2's, have traces of their own.
    """

    network: ReferenceType | None = field(default=None, repr=False)
    live: Live | None = field(default=None, compare=False, repr=False)

    @classmethod
    def neutral(cls) -> Observer:
        """An observer changes nothing whatever its settings are."""
        return cls()

    def seen(self, call: Attention, edited: Attention) -> list[Note]:
        """What to keep of an attention, given the call as the model made it and as the kernel received and answered it."""
        return []

    def block_seen(self, call: Block) -> list[Note]:
        """What to keep of a block's output, as all interventions left it."""
        return []

    def keeps(self, iteration: Iteration) -> bool:
        """Does this iteration of an optimised latent belong on its trace?"""
        return True

    def digest(self, calls: list[CallNotes]) -> list[CallNotes]:
        """Turns the notes of one step into those that are kept: still on the device, but once a step, so it may wait for it."""
        return calls


@dataclass(frozen=True, kw_only=True)
class Prompting(Intervention):
    """An intervention that gives frames their own texts, mixed from the key prompts of a conditioning.

    It edits the calls that read text: their keys are then the mixtures side by side, as `forward.text` says.
    """

    def concerns(self, forward: Forward) -> bool:
        """Only network calls with key prompts."""
        return any(forward.keys)

    def idle(self) -> str:
        """No conditioning of the run had key prompts."""
        return "no conditioning had several key prompts; connect the positive output that comes with the model"

    def frame_text(self, forward: Forward, keys: KeyTexts) -> FrameText:
        """Which mixture of the key prompts each frame of this network call reads."""
        raise NotImplementedError(f"{type(self).__name__} must say what each frame reads")

    def mix(self, first: Tensor, second: Tensor, share: float) -> Tensor:
        """(1 - share) of one text [T, C] and share of another."""
        raise NotImplementedError(f"{type(self).__name__} must say how two texts are mixed")
