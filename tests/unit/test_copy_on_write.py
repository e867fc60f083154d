"""Gradients through code that overwrites what its graph has saved."""

import gc

import pytest
import torch

from pack.py.host.gradients.copy_on_write import _CopyBeforeWriting, copy_on_write


def in_place(x):
    """Writes over saved tensors by the usual ways: a method, a view, an `out` argument, a list of tensors, an index."""
    y = x.exp()
    z = y * y  # saves y
    y.mul_(2)
    w = y.sin()  # saves the doubled y
    y[:, 0] = 1.0
    y.view(-1)[3:5].zero_()
    v = y**3
    with torch.no_grad():
        torch.add(y, 1.0, out=y)
        torch._foreach_mul_([y.detach()], 3.0)
    return z + w + v + y


def plain(x):
    """The same without writing."""
    y = x.exp()
    z, doubled = y * y, 2 * y
    w = doubled.sin()
    mask = torch.ones_like(x)
    mask[:, 0] = 0
    y = doubled * mask + (1 - mask)
    flat = torch.ones(x.numel(), dtype=x.dtype)
    flat[3:5] = 0
    y = y * flat.view_as(x)
    return z + w + y**3 + y + (2 * y + 3).detach()


def test_equals_the_same_without_writing():
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 5, dtype=torch.float64)
    (expected,) = torch.autograd.grad((plain(x) * weight).sum(), x)
    with copy_on_write():
        (found,) = torch.autograd.grad((in_place(x) * weight).sum(), x)
    assert torch.allclose(found, expected, rtol=1e-12)
    with pytest.raises(RuntimeError, match="inplace"):
        torch.autograd.grad((in_place(x) * weight).sum(), x)


def test_many_short_lived_tensors_at_the_same_place():
    x = torch.randn(64, 64, dtype=torch.float64, requires_grad=True)
    with copy_on_write():
        total = 0.0
        for _ in range(200):
            y = x.sin()
            total = total + (y * y).sum()
            y.zero_()
            torch.autograd.grad((x.cos() ** 2).sum(), x)  # a graph that is saved and gone at once
        (found,) = torch.autograd.grad(total, x)
    assert torch.allclose(found, 200 * 2 * x.sin() * x.cos(), rtol=1e-12)


def test_only_what_is_overwritten_is_copied(monkeypatch):
    copies, clone = [], torch.Tensor.clone
    monkeypatch.setattr(torch.Tensor, "clone", lambda x, **given: copies.append(x.shape) or clone(x, **given))
    x = torch.randn(3, requires_grad=True)
    with copy_on_write():
        y = x.exp()
        z = y * y + x * x
        y.zero_()
        y.zero_()
    assert copies == [(3,)]  # though exp saves its result, and the product saves it twice
    z.sum().backward()
    assert torch.allclose(x.grad, 2 * (2 * x.detach()).exp() + 2 * x.detach())


def test_nothing_is_kept_after_the_graph():
    x = torch.randn(8, requires_grad=True)
    seen = []
    original = _CopyBeforeWriting.__init__

    def spy(self, saved):
        seen.append(saved)
        original(self, saved)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_CopyBeforeWriting, "__init__", spy)
        with copy_on_write():
            (x.exp() * x).sum().backward()
            gc.collect()
            assert not any(len(kept) for kept in seen[0].values())
