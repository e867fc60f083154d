"""Softmax columns against the dense softmax in float64, with gradients."""

import pytest
import torch

from pack.py.maths import word_columns
from pack.py.maths.word_columns import softmax_columns

KEYS = (4, 1)


def dense(q, k, scale, bias):
    scores = scale * q.double() @ k.double().mT
    if bias is not None:
        scores = scores.masked_fill(~bias, -torch.inf) if bias.dtype == torch.bool else scores + bias.double()
    return torch.softmax(scores, -1)[..., list(KEYS)]


def inputs(seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(2, 3, 11, 8, generator=generator).to(dtype).requires_grad_()
    k = torch.randn(2, 3, 7, 8, generator=generator).to(dtype).requires_grad_()
    return q, k, torch.randn(2, 3, 11, 2, generator=generator)


BIASES = {
    "none": None,
    "row of all": torch.linspace(-2, 2, 7).view(1, 1, 1, 7),
    "one a sample": torch.linspace(-2, 2, 14).view(2, 1, 1, 7),
    "whole": torch.linspace(-2, 2, 2 * 3 * 11 * 7).view(2, 3, 11, 7).sin(),
    "booleans": (torch.arange(7) != 2).view(1, 1, 1, 7),
}


@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES)
@pytest.mark.parametrize("most", [2**22, 300, 160, 100, 5])
def test_values_and_gradients_equal_the_dense_softmax(monkeypatch, bias, most):
    monkeypatch.setattr(word_columns, "MOST_ELEMENTS", most)
    q, k, weights = inputs()
    ours, theirs = softmax_columns(q, k, KEYS, 0.4, bias), dense(q, k, 0.4, bias)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-7)
    found = torch.autograd.grad((ours * weights).sum(), (q, k))
    expected = torch.autograd.grad((theirs * weights).sum(), (q, k))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_keys_without_gradient_and_half_precision():
    q, k, weights = inputs(dtype=torch.bfloat16)
    (found,) = torch.autograd.grad((softmax_columns(q, k.detach(), KEYS, 0.4) * weights).sum(), q)
    (expected,) = torch.autograd.grad((dense(q, k, 0.4, None) * weights).sum(), q)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=2e-2, atol=1e-3)


def test_huge_scores_stay_finite():
    q = torch.full((1, 1, 2, 4), 1e4)
    assert torch.isfinite(softmax_columns(q, torch.eye(4).view(1, 1, 4, 4).repeat(1, 1, 2, 1) * 1e4, KEYS, 1.0)).all()


def test_the_keys_of_long_videos_are_brought_to_float32_once(monkeypatch):
    """They were so for every part of the rows: cubic in the tokens where text and video share one attention."""
    monkeypatch.setattr(word_columns, "MOST_ELEMENTS", 5)
    converted = []
    convert = torch.Tensor.float
    monkeypatch.setattr(torch.Tensor, "float", lambda x: converted.append(x.numel()) or convert(x))
    q, k, _ = inputs(dtype=torch.bfloat16)
    softmax_columns(q.detach(), k.detach(), KEYS, 0.4)
    assert sum(converted) == q.numel() + k.numel()
