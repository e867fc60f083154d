"""Video Synopsis Prompting: each frame reads its own mixture of a few key prompts.

VSTAR: Generative Temporal Nursing for Longer Dynamic Video Synthesis (Li et al.), section 3.4.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..core.attention import Attention, Kernel
from ..core.checks import one_of, within
from ..core.events import Forward
from ..core.frame_text import FrameText, KeyTexts, RowText, TextLayout
from ..core.intervention import Prompting, Where
from ..core.joint_text import biases
from ..core.rows import put, take_call
from ..maths.text_mixture import INTERPOLATIONS, mixed, mixture

log = logging.getLogger("temporal_attention")


@dataclass(frozen=True, kw_only=True)
class VideoSynopsisPrompting(Prompting):
    """Frames read key prompts by their place in time; conditionings without key prompts are left as they are.

    Exact where text is read by cross-attention: every frame attends to the mixed embedding of its own. In a joint attention, our
    extension: the key prompts stand side by side, and log-weights on the scores say how much of each a frame sees.

    Args:
        transition: share of each interval between two key prompts in which they cross-fade; 1 is the paper, 0 switches.
        interpolation: how two embeddings are mixed, "linear" (the paper) or "slerp".
    """

    transition: float = 0.25
    interpolation: str = INTERPOLATIONS[0]
    where: Where = field(default_factory=lambda: Where(frozenset({"cross", "control", "text", "joint"})))

    def __post_init__(self):
        within("transition", self.transition, 0, 1, "0 switches between key prompts, 1 always cross-fades.")
        one_of("interpolation", self.interpolation, INTERPOLATIONS)

    @classmethod
    def neutral(cls) -> VideoSynopsisPrompting:
        """Any settings: without key prompts, or with a single one, every frame reads the same text."""
        return cls()

    def frame_text(self, forward: Forward, keys: KeyTexts) -> FrameText:
        """The mixture of each frame of this network call, by where its latent frames lie in the whole video (3.4)."""
        places = _places(forward, keys)
        return FrameText.of([mixture(middle, places, self.transition) for middle in forward.latents.middles])

    def mix(self, first: Tensor, second: Tensor, share: float) -> Tensor:
        """Two key prompts [T, C] mixed."""
        return mixed(first, second, share, self.interpolation)

    def before(self, call: Attention) -> Attention:
        """Each frame's queries go to the keys of its own text; in a joint attention they weigh the key prompts."""
        if call.site.kind == "joint":
            return call.edit(low_rank=(*call.low_rank, *biases(call, call.forward.text.joint)))
        return call.edit(kernel=FrameByFrame(call.kernel)) if call.site.keys == "text" else call


def _places(forward: Forward, keys: KeyTexts) -> tuple[float, ...]:
    """The place of each key prompt in latent frames, found once a run; then it also says what lies past the end."""
    key = keys.placement, forward.latents.whole
    if key not in forward.memory:
        forward.memory[key], warning = keys.placement(forward.latents.whole)
        if warning:
            log.warning("Key prompts %s.", warning)
    return forward.memory[key]


@dataclass(frozen=True)
class FrameByFrame:
    """The kernel of a call whose keys are texts side by side, as the forward's text layout says."""

    kernel: Kernel

    def __call__(self, call: Attention) -> Tensor:
        """[B, H, Lq, D]: rows with the same texts together, and rows with one text as if they were alone."""
        layout, call = call.forward.text, call.edit(kernel=self.kernel)
        texts = dict.fromkeys(layout.rows)
        if len(texts) == 1:
            return _read(call, layout, layout.rows[0])
        out = torch.empty_like(call.q)
        for text in texts:
            rows = tuple(row for row in call.rows if layout.rows[row] == text)
            out = put(out, rows, _read(take_call(call, rows), layout, text))
        return out


def _read(call: Attention, layout: TextLayout, text: RowText | None) -> Tensor:
    """The attention of rows that share their texts."""
    if call.site.kind == "text":
        parts = [(tokens, tokens) for tokens in layout.texts(text, call.q.shape[2])]
    elif text is None:
        parts = [(slice(None), slice(layout.own))]
    else:
        parts = [(tokens, text.tokens(number)) for tokens, number in text.plan.segments(call.forward.grid)]
    return torch.cat([_part(call, queries, keys).attend() for queries, keys in parts], dim=2)


def _part(call: Attention, queries: slice, keys: slice) -> Attention:
    """The call for some of its queries and some of its keys."""
    bias = call.bias
    if bias is not None:
        bias = bias[..., keys] if bias.shape[2] == 1 else bias[:, :, queries, keys]
    low_rank = tuple(replace(b, queries=b.queries[:, :, queries], keys=b.keys[:, :, keys]) for b in call.low_rank)
    return call.edit(q=call.q[:, :, queries], k=call.k[:, :, keys], v=call.v[:, :, keys], bias=bias, low_rank=low_rank)
