"""Phrases among tokens: pieces of words, shared characters, spaces that a tokenizer lost, words inside other words."""

import pytest

from pack.py.core.errors import TemporalAttentionError
from pack.py.prompts.words import read_back, tokens_of, with_spaces_of


def joined(pieces):
    return "".join(pieces)


def found(phrase, pieces):
    return tokens_of(phrase, *read_back(pieces, joined))


CATS = ["a", " black", " cat", " and", " two", " cats", ",", " the", " c", "at", "'s", " ta", "il"]


@pytest.mark.parametrize(
    "phrase,tokens",
    [
        ("cat", (2, 8, 9)),
        ("cats", (5,)),
        ("Black  Cat", (1, 2)),
        ("tail", (11, 12)),
        ("cat's tail", (8, 9, 10, 11, 12)),
        ("the cat", (7, 8, 9)),
        ("cats, the", (5, 6, 7)),
        ("a", (0,)),
    ],
)
def test_whole_words_wherever_they_stand(phrase, tokens):
    assert found(phrase, CATS) == tokens


@pytest.mark.parametrize("phrase", ["at", "il", "black and", "dog", "ca", "c.t", "(cat", "cat and two cat"])
def test_what_is_not_there_is_an_error_with_the_tokens(phrase):
    with pytest.raises(TemporalAttentionError, match=r"tokens a \| black \| cat \| and \| two \| cats \| , \| the \| c \| at"):
        found(phrase, CATS)


def test_a_long_prompt_is_not_listed_whole():
    with pytest.raises(TemporalAttentionError, match=r"w59 and 40 more\."):
        found("dog", [f" w{i}" for i in range(100)])


def bytes_of(pieces):
    return b"".join(pieces).decode("utf-8", errors="replace").replace("\ufffd" * 2, "\ufffd")


def test_a_character_of_several_tokens_belongs_to_all_of_them():
    first, second = "猫".encode()[:1], "猫".encode()[1:]
    text, spans = read_back([b"a ", first, second, "狗".encode()], bytes_of)
    assert text == "a 猫狗" and spans == [(0, 2), (2, 3), (2, 3), (3, 4)]
    assert tokens_of("猫", text, spans) == (1, 2) and tokens_of("狗", text, spans) == (3,)


@pytest.mark.parametrize(
    "text,there", [("一只猫跑", True), ("一只cat跑", True), ("onecat", False), ("кот", False), ("แมวcat", True)]
)
def test_scripts_without_spaces_do_not_hide_a_word(text, there):
    phrase = "猫" if "猫" in text else "cat"
    pieces = list(text)
    if there:
        assert "".join(pieces[i] for i in found(phrase, pieces)) == phrase
    else:
        with pytest.raises(TemporalAttentionError):
            found(phrase, pieces)


def test_lost_spaces_come_back_from_the_prompt():
    pieces = ["<user>", "ab", "lack", "cat", "s", "its", "<end>"]
    text, spans = read_back(pieces, joined)
    prompt, moved = with_spaces_of("A black cat sits", text, spans)
    assert prompt == "A black cat sits" and [prompt[start:stop] for start, stop in moved] == [
        "", "A b", "lack", "cat", "s", "its", ""
    ]  # fmt: skip
    assert tokens_of("cat", prompt, moved) == (3,) and tokens_of("sits", prompt, moved) == (4, 5)
    assert tokens_of("black", prompt, moved) == (1, 2)


def test_the_prompt_itself_counts_and_not_the_template_before_it():
    pieces = ["describe", " a", " cat", ": ", "a", " cat"]
    prompt, moved = with_spaces_of("a cat", *read_back(pieces, joined))
    assert tokens_of("cat", prompt, moved) == (5,)


@pytest.mark.parametrize("prompt", ["a dog", "", "  "])
def test_another_text_is_left_to_itself(prompt):
    assert with_spaces_of(prompt, *read_back(["a", " cat"], joined)) is None
