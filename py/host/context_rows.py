"""Which token of a prompt each row of its context was made of.

Start tokens, padding, several chunks of CLIP and templates that are cut off (HunyuanVideo, Kandinsky) are found by comparing the
context with what the inner encoder returned, so that no table of text encoders has to be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.errors import TemporalAttentionError


@dataclass(frozen=True, eq=False)
class Encoded:
    """A prompt as a CLIP object encodes it.

    Args:
        context: [1, L, C], as a conditioning holds it.
        key: the entry of the host's tokens that it was made of, such as "t5xxl".
        values: the token of each row: an id, or the vector of an embedding.
        width: numbers a token inside the encoder.
    """

    context: Tensor
    key: str
    values: tuple[int | Tensor, ...]
    width: int


def encode(clip, prompt: str) -> Encoded:
    """Encodes a prompt. Raises TemporalAttentionError for a text encoder whose rows cannot be told apart."""
    tokens = clip.tokenize(prompt)
    with _watched(clip.cond_stage_model, tokens) as outputs:
        context = clip.encode_from_tokens(tokens)
    values = {key: [token[0] for chunk in chunks for token in chunk] for key, chunks in tokens.items()}
    for key, output in outputs.items():
        skipped = _offset(context[0], output)
        if skipped is None and len(outputs) == 1:
            skipped = _missing_padding(context[0], values[key], inner(clip.tokenizer, key))
        if skipped is not None:
            kept = values[key][skipped : skipped + context.shape[1]]
            return Encoded(context, key, tuple(kept), output.shape[-1])
    counts = " and ".join(f"{len(values[key])} tokens of {key}" for key in outputs)
    raise TemporalAttentionError(
        "a text encoder whose context has one row per token, with at most its start and end cut off",
        f"{context.shape[1]} rows for {counts}",
        "Use only the model's own text encoder: several joined into one context are not supported.",
    )


def inner(outer, key: str):
    """The tokenizer or encoder that answers for one entry of the tokens: "l" is called clip_l, others by their own name."""
    return getattr(outer, key, None) or getattr(outer, f"clip_{key}", None)


@contextmanager
def _watched(model: torch.nn.Module, tokens: dict) -> Iterator[dict[str, Tensor]]:
    """While it is open: entry of the tokens -> what its encoder returned, before the outer model cut or joined it."""
    outputs: dict[str, Tensor] = {}
    encoders = {key: inner(model, key) for key in tokens}
    handles = [
        encoder.register_forward_hook(lambda _, __, output, key=key: outputs.update({key: output[0]}))
        for key, encoder in encoders.items()
        if encoder is not None
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _offset(context: Tensor, output: Tensor) -> int | None:
    """Where the rows of a context [L, C] begin in an encoder's output [chunks, tokens, C], if it holds them all."""
    if output.ndim != 3 or output.shape[-1] != context.shape[-1]:
        return None
    rows = output.flatten(0, 1).to(context)
    starts = (rows == context[0]).all(-1).nonzero()[:, 0].tolist()
    return next((start for start in starts if torch.equal(rows[start : start + len(context)], context)), None)


def _missing_padding(context: Tensor, values: list, tokenizer) -> int | None:
    """For a context that was projected (LTX-2), so that its numbers are others: the padding on its left that was cut off."""
    missing = len(values) - len(context)
    padding = getattr(tokenizer, "pad_token", None)
    return missing if missing >= 0 and all(value == padding for value in values[:missing]) else None
