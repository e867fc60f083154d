"""How much attention every token of the video pays to each phrase of the prompt."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.attention import Attention
from ..core.errors import TemporalAttentionError
from ..core.low_rank import with_biases
from ..maths.word_columns import softmax_columns

KINDS = frozenset({"cross", "joint"})


def reads_text(call: Attention) -> bool:
    """Does this call read the prompt? Wan's image-to-video cross-attention asks an image first."""
    return call.site.kind == "joint" or call.site.keys == "text"


def word_maps(call: Attention, positions: tuple[tuple[int, ...], ...]) -> Tensor:
    """float32 [B, P, F, S]: the pattern's columns, softmax over all keys, averaged over heads and over the tokens of each phrase.

    Args:
        call: an attention that reads text; of a joint one the video's rows count.
        positions: the rows of the prompt's context that belong to each of P phrases.
    """
    grid = call.forward.grid
    q, k = with_biases(call)
    first = grid.text if call.site.kind == "joint" else 0
    keys = tuple(first + row for rows in positions for row in rows)
    _check(call, max(keys), k.shape[2])
    bias = call.bias
    if bias is not None and bias.shape[2] > 1:
        bias = bias[:, :, grid.video]
    columns = softmax_columns(q[:, :, grid.video], k, keys, call.scale, bias).mean(1)
    by_phrase = columns.split([len(rows) for rows in positions], dim=-1)
    return torch.stack([phrase.mean(-1) for phrase in by_phrase], dim=1).unflatten(-1, (grid.frames, grid.spatial))


def _check(call: Attention, last: int, tokens: int) -> None:
    if call.forward.text is not None:
        raise TemporalAttentionError(
            "one text for all frames",
            "key prompts of Video Synopsis Prompt, which give each frame its own",
            "Use either TempoControl or Video Synopsis Prompt.",
        )
    if last >= tokens:
        raise TemporalAttentionError(
            f"a text of at least {last + 1} tokens in the network", f"{tokens}", "Shorten the prompt, or move the phrase forward."
        )
