"""How much the three frame attention estimators bring into memory: chunks up to a limit, which change no result."""

import pytest
import torch
from frame_estimators import ESTIMATORS, every_estimator, queries_and_keys, same
from torch.utils._python_dispatch import TorchDispatchMode

from pack.py.maths import entropy, frame_attention
from pack.py.maths.frame_attention import exact, same_position


class Largest(TorchDispatchMode):
    """Records how many elements the largest tensor had that any operation gave."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(x, torch.Tensor):
                self.elements = max(self.elements, x.numel())
        return out


def largest(function):
    with Largest() as seen:
        function()
    return seen.elements


@every_estimator
@pytest.mark.parametrize("most", (1, 100, 2000))
def test_chunking_does_not_matter(name, most, monkeypatch):
    q, k = queries_and_keys((2, 3, 5, 7, 6), seed=17)
    whole = ESTIMATORS[name](q, k, 0.4)
    monkeypatch.setattr(frame_attention, "MOST_ELEMENTS", most)
    monkeypatch.setattr(entropy, "MOST_ELEMENTS", most)
    same(ESTIMATORS[name](q, k, 0.4), whole)


@pytest.mark.parametrize("most", (1, 100, 2000))
def test_chunking_does_not_move_the_sampled_rows(most, monkeypatch):
    q, k = queries_and_keys((2, 3, 5, 11, 6), seed=18)
    whole = exact(q, k, 0.4, 3, 0.6)
    monkeypatch.setattr(frame_attention, "MOST_ELEMENTS", most)
    same(exact(q, k, 0.4, 3, 0.6), whole)


@every_estimator
def test_no_tensor_of_all_pairs_of_tokens(name):
    frames, spatial = 10, 120
    tokens = frames * spatial
    q, k = queries_and_keys((1, 2, frames, spatial, 4), seed=19)
    arguments = {"rows": 2, "offset": 0.5} if name == "exact" else {}
    assert largest(lambda: ESTIMATORS[name](q, k, 0.5, **arguments)) < tokens**2 / 10


def test_all_rows_come_in_chunks_of_the_limit(monkeypatch):
    q, k = queries_and_keys((1, 2, 8, 50, 4), seed=20)
    whole = largest(lambda: exact(q, k, 0.5))
    limit = 10_000
    monkeypatch.setattr(frame_attention, "MOST_ELEMENTS", limit)
    assert q.numel() < limit < whole
    assert largest(lambda: exact(q, k, 0.5)) <= limit


def test_same_position_comes_in_chunks_of_the_limit(monkeypatch):
    q, k = queries_and_keys((2, 2, 30, 60, 2), seed=21)
    whole = largest(lambda: same_position(q, k, 0.5))
    limit = 20_000
    monkeypatch.setattr(frame_attention, "MOST_ELEMENTS", limit)
    assert max(limit, q.numel()) < whole
    assert largest(lambda: same_position(q, k, 0.5)) <= max(limit, q.numel())
