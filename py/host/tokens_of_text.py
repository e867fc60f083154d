"""A prompt as the network gets it, and where each phrase stands in it.

Asks the host's CLIP object for the pieces of the text, and spells them as the tokenizer's vocabulary does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from comfy import sd1_clip
from tokenizers import decoders
from torch import Tensor

from ..core.errors import TemporalAttentionError
from ..prompts.words import not_in_prompt, read_back, tokens_of, with_spaces_of
from .context_rows import Encoded, encode, inner

EMBEDDING = "embedding:"
# How a vocabulary writes the word "the" with its space -> how its pieces are put together.
BYTES = decoders.ByteLevel().decode
SPELLINGS: dict[str, Callable[[list[str]], str]] = {
    "\u2581the": decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]).decode,
    "\u0120the": BYTES,
    "the</w>": lambda pieces: BYTES([piece.replace("</w>", "\u0120") for piece in pieces]),
}


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A prompt's context [1, L, C], as conditioning holds it, and the rows of it that belong to each phrase."""

    context: Tensor
    positions: dict[str, tuple[int, ...]]


def encode_text(clip, prompt: str, phrases: Sequence[str]) -> EncodedText:
    """Encodes a prompt with the host's CLIP object and finds the phrases, in words or as embedding:name.

    The rows are those of the context as a conditioning holds it. What a network puts before or after them (images, registers) is
    the adapters' concern. Raises TemporalAttentionError where a phrase is not in the prompt, and for a text encoder whose rows
    cannot be told apart.
    """
    encoded = encode(clip, prompt)
    _check_embeddings(encoded.values, encoded.width)
    found = _Prompt(clip, encoded, prompt)
    return EncodedText(encoded.context, {phrase: found.rows(phrase) for phrase in phrases})


class _Prompt:
    """The tokens behind the rows of a context, and their text."""

    def __init__(self, clip, encoded: Encoded, prompt: str):
        self._clip, self._key, self._values = clip, encoded.key, encoded.values
        tokenizer, values = inner(clip.tokenizer, encoded.key), encoded.values
        special = {getattr(tokenizer, name, None) for name in ("start_token", "end_token", "pad_token")}
        self._words = [row for row, value in enumerate(values) if not torch.is_tensor(value) and value not in special]
        pieces = [piece for _, piece in tokenizer.untokenize([(values[row], 1.0) for row in self._words])]
        text, spans = read_back(pieces, _spelling(tokenizer))
        respaced = with_spaces_of(_without_weights(prompt), text, spans) or with_spaces_of(prompt, text, spans)
        self._text, self._spans = respaced or (text, spans)

    def rows(self, phrase: str) -> tuple[int, ...]:
        """The rows of every place where the phrase stands."""
        vectors = self._vectors(phrase) if phrase.startswith(EMBEDDING) else []
        if vectors:
            return self._rows_of(phrase, vectors)
        return tuple(self._words[i] for i in tokens_of(phrase, self._text, self._spans))

    def _vectors(self, phrase: str) -> list[Tensor]:
        """The vectors of an embedding; none where this tokenizer reads its name as text."""
        return [value for chunk in self._clip.tokenize(phrase)[self._key] for value, *_ in chunk if torch.is_tensor(value)]

    def _rows_of(self, phrase: str, vectors: list[Tensor]) -> tuple[int, ...]:
        length = len(vectors)
        rows = [
            range(first, first + length)
            for first in range(len(self._values) - length + 1)
            if all(_same(value, vector) for value, vector in zip(self._values[first : first + length], vectors, strict=True))
        ]
        if not rows:
            raise not_in_prompt(phrase, [self._text[start:stop] for start, stop in self._spans])
        return tuple(row for group in rows for row in group)


def _check_embeddings(values: Sequence, width: int) -> None:
    """The host leaves out embeddings of another width, which moves every row after them."""
    for value in values:
        if torch.is_tensor(value) and value.shape[-1] != width:
            raise TemporalAttentionError(
                f"embeddings that fit this text encoder, {width} numbers per token",
                f"one of {value.shape[-1]} numbers",
                "Remove the embedding from the prompt, or use one made for this text encoder.",
            )


def _same(value, vector: Tensor) -> bool:
    return torch.is_tensor(value) and torch.equal(value, vector)


def _without_weights(prompt: str) -> str:
    segments = sd1_clip.token_weights(sd1_clip.escape_important(prompt), 1.0)
    return "".join(sd1_clip.unescape_important(segment) for segment, _ in segments)


def _spelling(tokenizer) -> Callable[[list[str]], str]:
    """How the pieces of a tokenizer are put together; pieces of a vocabulary without such a sign are whole words."""
    vocabulary = set(getattr(tokenizer, "inv_vocab", {}).values())
    return next((decode for piece, decode in SPELLINGS.items() if piece in vocabulary), " ".join)
