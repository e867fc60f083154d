"""Entropy Edit: a target video takes the attention patterns of a source in the blocks of lowest entropy.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 4.2 and Algorithm 1.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from torch import Tensor

from ..core.attention import Attention
from ..core.checks import sampled_rows, within
from ..core.events import Branch, Forward
from ..core.guidance import Prediction
from ..core.intervention import Intervention, Where
from ..core.rows import take
from .ballot import Ballot
from .pattern import PatternEntropy

log = logging.getLogger("temporal_attention")

PATTERNS = {"self": Where(), "self and cross": Where(Where().kinds | {"cross"})}  # whose patterns the target takes


@dataclass(frozen=True, kw_only=True)
class EntropyEdit(Intervention):
    """For a batch of source, target, source, target, ...: every target attends with the queries and keys of its source.

    A' = attend(q_source, k_source, v_target), on both sides of guidance, in a share of the blocks: those of lowest entropy in
    the source. In a joint attention that holds for the video's queries and keys; the text keeps its own. Where `where` names
    cross-attentions too (our extension, after prompt-to-prompt), those of the same blocks do likewise: each place reads the words
    at the positions that the source reads there. Entropies are those of self-attention alone.

    Args:
        share: of the blocks, 0 (neutral) to 1; the paper's balance is 0.5 to 0.65.
        rows: query rows a head from which entropy is measured.
    """

    share: float = 0.5
    rows: int = 64

    def __post_init__(self):
        within("share", self.share, 0, 1, "0.5 is the paper's.")
        sampled_rows(self.rows)

    @classmethod
    def neutral(cls) -> EntropyEdit:
        """share = 0: the target is a video of its own."""
        return cls(share=0.0)

    def acts(self) -> bool:
        """False at share 0."""
        return self.share != 0.0

    def concerns(self, forward: Forward) -> bool:
        """Only batches of pairs."""
        return len(forward.branches) % 2 == 0 and max(forward.samples) % 2 == 1

    def idle(self) -> str:
        """The usual samplers have no pairs."""
        return "the batch holds no pairs of source and target; sample with the guider that Entropy Edit returns"

    def before(self, call: Attention) -> Attention:
        """While no blocks are chosen it measures the source; then it hands the source's patterns to the target."""
        ballot, crosses = self.ballot(call.forward.memory), call.site.kind == "cross"
        if not ballot.closed and crosses:
            return call
        if not ballot.closed:
            sources = tuple(i for i in call.forward.rows(Branch.COND) if call.forward.samples[i] % 2 == 0)
            if sources:
                ballot.note(call.forward.step.index, call.site.block, take(PatternEntropy(self.rows).measure(call), sources))
            return call
        if call.site.block not in ballot.lowest(self.share):
            return call
        if crosses:
            return call.edit(q=_of_source(call.q), k=_of_source(call.k), bias=_mask_of_source(call.bias))
        video = call.forward.grid.video
        return call.edit(q=_of_source(call.q, video), k=_of_source(call.k, video))

    def guide(self, prediction: Prediction) -> Tensor:
        """Chooses the blocks after the prediction that only measured."""
        ballot = self.ballot(prediction.memory)
        if ballot.notes:
            entropies = ballot.close()
            said = ", ".join(f"{block}: {100 * value:.0f} %" for block, value in entropies.items())
            chosen = ", ".join(map(str, sorted(ballot.lowest(self.share))))
            log.info("Entropy Edit takes the source's patterns in blocks %s; entropies by block: %s", chosen, said)
        return prediction.denoised

    def ballot(self, memory: dict) -> Ballot:
        """The entropies of a run."""
        return memory.setdefault(self, Ballot())


def _of_source(x: Tensor, tokens: slice = slice(None)) -> Tensor:
    """x [B, H, L, D] in which these tokens of every second row are those of the row before."""
    x = x.clone()
    x[1::2, :, tokens] = x[::2, :, tokens]
    return x


def _mask_of_source(bias: Tensor | None) -> Tensor | None:
    """A mask that differs between rows, such as that of padded texts, is part of the pattern."""
    return bias if bias is None or len(bias) == 1 else _of_source(bias)
