"""Entropy Guidance: away from, or towards, the prediction with another attention pattern in the block of highest entropy.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 4.1 (Eq. 3 to 5), and its supplement.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.attention import Attention
from ..core.checks import finite, one_of, sampled_rows, within
from ..core.errors import TemporalAttentionError
from ..core.events import Branch, Forward
from ..core.guidance import Prediction
from ..core.intervention import Intervention
from .ballot import LOW, STEPS_AT_MOST, Ballot, elected, measured_steps
from .pattern import PatternEntropy
from .perturbation import IDENTITY, UNIFORM, AttentionPerturbation

log = logging.getLogger("temporal_attention")

PATTERNS = {"I": AttentionPerturbation(alpha=IDENTITY), "U": AttentionPerturbation(alpha=UNIFORM)}
SAFE = 0.65  # below it a replacement is drastic


@dataclass(frozen=True)
class Rule:
    """What is added to the guided prediction: scale (plus - minus) + cfg (own - A), each a pattern at i*, "A" the model's own.

    `side` is the prompt whose patterns are replaced; `edits` replaces that of the sampler's own call, at no cost.
    """

    plus: str = "A"
    minus: str = "A"
    own: str = "A"
    side: Branch = Branch.COND
    edits: str = ""


RULES = {
    "A - I": Rule("A", "I"),
    "U - A": Rule("U", "A"),
    "U - I": Rule("U", "I"),
    "strategy 1": Rule(own="I", side=Branch.UNCOND),
    "strategy 3": Rule("A", "I", own="U"),
    "strategy 4": Rule(edits="U"),
}


@dataclass(frozen=True, kw_only=True)
class EntropyGuidance(Intervention):
    """denoised + scale (D+ - D-) (Eq. 4, 5), where D+ and D- have other attention patterns in block i*.

    With c, u the two prompts, w the scale of classifier-free guidance and c_I, c_U, u_I predictions with I or U at i*:
    "A - I" adds scale (c - c_I), "U - A" scale (c_U - c), "U - I" scale (c_U - c_I); "strategy 1" gives u + w (c - u_I),
    "strategy 3" u + w (c_U - u) + scale (c - c_I), "strategy 4" u + w (c_U - u), which needs no extra prediction.
    Strategy 2 is "A - I".

    Args:
        scale: lambda; 0 is neutral.
        rule: one of RULES.
        block: i*, or None: the block of highest entropy over the first steps, which then only measure.
        rescale: share, 0 to 1, by which the result's standard deviation is brought back to that of c.
        rows: query rows a head from which entropy is measured.

    `branch` is not a setting: it is the side whose patterns the rule replaces.
    """

    branch: Branch = field(init=False)
    scale: float = 0.5
    rule: str = "A - I"
    block: int | None = None
    rescale: float = 0.0
    rows: int = 64

    def __post_init__(self):
        finite("scale", self.scale)
        one_of("rule", self.rule, RULES)
        within("rescale", self.rescale, 0, 1, "0 leaves the result as it is.")
        sampled_rows(self.rows)
        object.__setattr__(self, "branch", RULES[self.rule].side)

    @classmethod
    def neutral(cls) -> EntropyGuidance:
        """scale = 0: no measurement, no extra prediction."""
        return cls(scale=0.0)

    def acts(self) -> bool:
        """False at scale 0."""
        return self.scale != 0.0

    def unchanged(self) -> str:
        """A window of a single step chooses the block and has no step left."""
        if self.block is not None:
            return super().unchanged()
        return (
            "every step in its window only measured which block to replace; widen the window, or set block to the one named in "
            "the log"
        )

    def before(self, call: Attention) -> Attention:
        """Measures the entropy of every block over the first steps."""
        ballot = self._ballot(call.forward.memory)
        if not call.forward.extra and self._measures(ballot, call.forward):
            ballot.note(call.forward.step.index, call.site.block, PatternEntropy(self.rows).measure(call))
        return call

    def after(self, call: Attention, out: Tensor) -> Tensor:
        """The output of block i* with another pattern: in calls that this guidance asked for, or in all if its rule asks none.

        What others ask for then differs from the sampler's own call in nothing but their edit.
        """
        asked = call.forward.asked
        edit = asked.edit if asked and asked.owner is self else RULES[self.rule].edits
        if not edit or call.site.block != self._ballot(call.forward.memory).chosen:
            return out
        return PATTERNS[edit].after(call, out)

    def asks(self, forward: Forward) -> tuple[int, Branch] | None:
        """Predictions that are changed from block i* on, once it is chosen."""
        chosen, rule = self._ballot(forward.memory).chosen, RULES[self.rule]
        return None if chosen is None or rule.edits else (chosen, rule.side)

    def guide(self, prediction: Prediction) -> Tensor:
        """Adds the rule's terms to the denoised latent; while entropies are measured, nothing."""
        ballot, rule = self._ballot(prediction.memory), RULES[self.rule]
        guiding = ballot.chosen is not None
        if ballot.notes and ballot.steps >= measured_steps(prediction.step.total, prediction.window):
            self._close(ballot)
        if not guiding or rule.edits or (rule.side is Branch.UNCOND and prediction.uncond is None):
            return prediction.denoised
        out = prediction.denoised + self._terms(prediction, rule, ballot.chosen)
        return _rescaled(out, prediction.cond, self.rescale)

    def _terms(self, prediction: Prediction, rule: Rule, block: int) -> Tensor:
        plain = prediction.cond if rule.side is Branch.COND else prediction.uncond
        needed = {rule.plus, rule.minus, rule.own} - {"A"}
        found = {"A": plain} | {pattern: prediction.ask(rule.side, pattern, block) for pattern in sorted(needed)}
        terms = self.scale * (found[rule.plus] - found[rule.minus])
        if rule.own != "A":
            sign = 1 if rule.side is Branch.COND else -1
            terms = terms + sign * prediction.scale * (found[rule.own] - plain)
        return terms

    def _ballot(self, memory: dict) -> Ballot:
        return memory.setdefault(self, Ballot(chosen=self.block))

    def _measures(self, ballot: Ballot, forward: Forward) -> bool:
        """Until `guide` closes the ballot; a guider that never calls it has no more than these steps."""
        known = any(step == forward.step.index for step, _ in ballot.notes)
        return known or (not ballot.closed and ballot.steps < STEPS_AT_MOST)

    def _close(self, ballot: Ballot) -> None:
        """Chooses the block if none was given, and says what speaks against it."""
        entropies = ballot.close()
        if ballot.chosen is not None and ballot.chosen not in entropies:
            raise TemporalAttentionError(
                f"a block with {' or '.join(sorted(self.where.kinds))} attention: {', '.join(map(str, entropies))}",
                f"block {ballot.chosen}, which has none",
                "Choose one of them, or the block with the highest entropy.",
            )
        if ballot.chosen is None:
            ballot.chosen = elected(entropies)
        report(ballot.chosen, entropies)


def report(block: int, entropies: dict[int, float]) -> None:
    """Logs the entropies, and warns where replacing the pattern of this block is drastic."""
    said = ", ".join(f"{b}: {100 * value:.0f} %" for b, value in entropies.items())
    log.info("Entropy Guidance acts on block %d; entropies by block: %s", block, said)
    if max(entropies.values()) < LOW:
        log.warning(
            "All entropies of this network are below %d %%: replacing a pattern is drastic here. Block %d has the lowest of the "
            "middle blocks, as the paper advises for such networks; try a scale of 0.25 or less.", 100 * LOW, block,
        )  # fmt: skip
    elif entropies[block] < max(SAFE, sorted(entropies.values())[len(entropies) // 2]):
        log.warning(
            "Block %d has an entropy of %.0f %%, low for this network: replacing its pattern can ruin the video. The highest is "
            "in block %d.", block, 100 * entropies[block], max(entropies, key=entropies.__getitem__),
        )  # fmt: skip


def _rescaled(x: Tensor, like: Tensor, share: float) -> Tensor:
    """x [B, ...] with the standard deviation of each sample moved towards that of another."""
    if share == 0.0:
        return x
    axes = tuple(range(1, x.ndim))
    ratio = like.std(axes, keepdim=True) / x.std(axes, keepdim=True)
    return x * torch.lerp(torch.ones_like(ratio), ratio, share)
