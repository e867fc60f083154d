"""Where a phrase stands among the tokens of a prompt.

A tokenizer says of each token which piece of text it is. Pieces are put together as the tokenizer spells them, and the phrase
is looked for in that text: weights such as (cat:1.2) are gone from it by then, and words in several pieces are whole again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..core.errors import TemporalAttentionError

# Thai to Khmer, kana, Chinese characters: written without spaces, so that a word may stand inside a longer row of letters.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
UNFINISHED = "\ufffd"  # a character of which some bytes are still to come
SHOWN = 60  # tokens in an error message

Span = tuple[int, int]


def read_back(pieces: Sequence[str], decode: Callable[[list[str]], str]) -> tuple[str, list[Span]]:
    """The text of pieces, and the span of characters that each has a part in.

    `decode` puts pieces together; a character that several tokens share (bytes of UTF-8) belongs to all of them.
    """
    text, whole, spans = "", 0, []
    for count in range(1, len(pieces) + 1):
        text = decode(list(pieces[:count]))
        complete = len(text.rstrip(UNFINISHED))
        spans.append((whole, complete + (complete < len(text))))
        whole = complete
    return text, spans


def with_spaces_of(prompt: str, text: str, spans: Sequence[Span]) -> tuple[str, list[Span]] | None:
    """The prompt, and the spans moved to it, where the text holds the prompt but for spaces and case; None where it does not.

    What stands around the prompt, such as a template, gets empty spans. Some tokenizers drop all spaces (the Llama tokenizer of
    transformers 5), and with them where a word ends.
    """
    at = [i for i, character in enumerate(prompt) if not character.isspace()]
    kept = [i for i, character in enumerate(text) if not character.isspace()]
    start = _squeezed(text, kept).rfind(_squeezed(prompt, at)) if at else -1
    if start < 0:
        return None
    moved = dict(zip(kept[start:], at, strict=False))
    inside = [[moved[i] for i in range(first, last) if i in moved] for first, last in spans]
    return prompt, [(own[0], own[-1] + 1) if own else (0, 0) for own in inside]


def tokens_of(phrase: str, text: str, spans: Sequence[Span]) -> tuple[int, ...]:
    """Numbers of the tokens with a part in any place where the phrase stands in the text as whole words, in any case.

    Raises TemporalAttentionError, with the tokens that were seen, where it stands nowhere.
    """
    found = [match.span() for match in re.finditer(_pattern(phrase), text, re.IGNORECASE)]
    chosen = [i for i, (start, stop) in enumerate(spans) if any(start < last and first < stop for first, last in found)]
    if not chosen:
        raise not_in_prompt(phrase, [text[start:stop] for start, stop in spans])
    return tuple(chosen)


def not_in_prompt(phrase: str, seen: Sequence[str]) -> TemporalAttentionError:
    """What to say of a phrase that the prompt does not have."""
    words = [word.strip() for word in seen if word.strip()]
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return TemporalAttentionError(
        f"the phrase {phrase!r} in the prompt",
        f"a prompt with the tokens {' | '.join(words[:SHOWN])}{more}" if words else "a prompt without words",
        "Write the phrase exactly as it stands in the prompt, whole words in order; leave out weights such as (cat:1.2).",
    )


def _pattern(phrase: str) -> str:
    """Spaces in the phrase are any spaces; letters may not go on before or after it, but for those of unspaced scripts."""
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    letter = rf"[^\W{UNSPACED}]"
    before = rf"(?<!{letter})" if re.match(letter, phrase) else ""
    after = rf"(?!{letter})" if re.match(letter, phrase[-1:]) else ""
    return f"{before}{words}{after}"


def _squeezed(text: str, kept: Sequence[int]) -> str:
    """The characters at these places, in lower case where that is one character too."""
    return "".join(lower if len(lower := text[i].lower()) == 1 else text[i] for i in kept)
