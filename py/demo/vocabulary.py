"""The words of the demo text encoder and their fixed codes: one token a word, nothing learned."""

import re

import torch
from torch import Tensor

LENGTH = 16
WORD_WIDTH = 64
POSITION_WIDTH = 32
WIDTH = WORD_WIDTH + POSITION_WIDTH

PAD = 0
# A word's id is its place here plus one. Trained weights depend on it: add new words at the end, at most 63 in all.
VOCABULARY = tuple(
    (
        "a an the and on with background "
        "moves moving stays still left right up down grows shrinks "
        "circle square triangle "
        "red green blue yellow purple orange cyan white gray black striped "
        "small big slowly fast to is video of"
    ).split()
)
WORD_IDS = {word: index for index, word in enumerate(VOCABULARY, start=1)}


def split_words(text: str) -> list[str]:
    """Lower-case words of `text` without punctuation; an apostrophe inside a word stays."""
    return re.findall(r"\w+(?:'\w+)*", text.lower())


def hadamard(order: int) -> Tensor:
    """Sylvester's Hadamard matrix, [order, order] of +-1 with orthogonal rows; `order` is a power of two."""
    matrix = torch.ones(1, 1)
    while len(matrix) < order:
        matrix = torch.cat([torch.cat([matrix, matrix], dim=1), torch.cat([matrix, -matrix], dim=1)])
    return matrix


def word_codes() -> Tensor:
    """Code of every id, [64, 96]: a Hadamard row in the word columns, zeros in the position columns."""
    return torch.nn.functional.pad(hadamard(WORD_WIDTH), (0, POSITION_WIDTH))


def position_codes() -> Tensor:
    """Code of every place in the prompt, [16, 96]: zeros in the word columns, a Hadamard row in the position columns."""
    return torch.nn.functional.pad(hadamard(POSITION_WIDTH)[:LENGTH], (WORD_WIDTH, 0))
