"""The demo vocabulary: ids never move, codes are orthogonal, words are found in any spelling."""

import torch

from pack.py.demo import vocabulary


def test_ids_are_fixed():
    ids = [vocabulary.WORD_IDS[word] for word in ("a", "background", "shrinks", "triangle", "red", "striped", "small", "of")]
    assert ids == [1, 7, 17, 20, 21, 31, 32, 39]
    assert vocabulary.PAD not in vocabulary.WORD_IDS.values()


def test_words_are_unique_and_fit_the_table():
    assert len(set(vocabulary.VOCABULARY)) == len(vocabulary.VOCABULARY) < vocabulary.WORD_WIDTH


def test_words_and_positions_are_orthogonal_and_do_not_share_columns():
    words, positions = vocabulary.word_codes(), vocabulary.position_codes()
    assert words.shape == (64, 96) and positions.shape == (16, 96)
    assert torch.equal(words @ words.T, 64 * torch.eye(64))
    assert torch.equal(positions @ positions.T, 32 * torch.eye(16))
    assert not (words @ positions.T).any()


def test_case_and_punctuation_do_not_matter():
    words = vocabulary.split_words("A Red,  circle;moves-LEFT\non 'gray'... the square's (video)!")
    assert words == ["a", "red", "circle", "moves", "left", "on", "gray", "the", "square's", "video"]
