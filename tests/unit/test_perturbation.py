"""Attention Perturbation: exactly V and mean(V), on the video rows only, and what it costs."""

from dataclasses import replace

import pytest
import torch
from test_pattern_entropy import KINDS, MASKS, attention, dense
from torch.utils._python_dispatch import TorchDispatchMode

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.intervention import Where
from pack.py.techniques.pattern import SQUARE
from pack.py.techniques.perturbation import AttentionPerturbation

EVERYWHERE = Where(kinds=SQUARE)
square_kinds = pytest.mark.parametrize("kind", sorted(SQUARE))


def perturbed(call, out=None, **settings):
    out = torch.randn(call.q.shape, generator=torch.Generator().manual_seed(9)) if out is None else out
    kept = out.clone(), call.v.clone()
    new = AttentionPerturbation(**{"where": EVERYWHERE, **settings}).after(call, out)
    assert torch.equal(out, kept[0]) and torch.equal(call.v, kept[1]), "inputs are not written"
    assert new.dtype == out.dtype and new.shape == out.shape
    return out, new, call.forward.grid.video


@square_kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_identity_is_v(kind, dtype):
    call = attention(kind)
    call = call.edit(v=call.v.to(dtype))
    out, new, video = perturbed(call, torch.randn(call.q.shape).to(dtype))
    assert torch.equal(new[:, :, video], call.v[:, :, video])
    assert torch.equal(new[:, :, : video.start], out[:, :, : video.start])
    assert torch.equal(new[:, :, video.stop :], out[:, :, video.stop :])


def test_uniform_is_the_mean_of_all_values_of_the_row():
    for kind in ("self", "joint", "cross"):
        call = attention(kind)
        out, new, video = perturbed(call, alpha=0.0, where=Where(kinds=frozenset({kind})))
        mean = call.v.mean(2, keepdim=True)
        assert torch.equal(new[:, :, video], mean.expand_as(new[:, :, video])), kind
        assert torch.equal(new[:, :, video.stop :], out[:, :, video.stop :])


def test_uniform_over_time_and_over_space():
    for kind, axis in (("temporal", 2), ("spatial", 3)):
        call = attention(kind)
        _, new, _ = perturbed(call, alpha=0.0)
        values = call.forward.grid.by_frame(call.v)
        mean = values.mean(axis, keepdim=True).expand_as(values).flatten(2, 3)
        torch.testing.assert_close(new, mean, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", MASKS)
def test_masked_keys_do_not_count(kind, mask):
    call = attention(kind, mask=mask)
    _, new, video = perturbed(call, alpha=0.0, where=Where(kinds=frozenset({kind})))
    torch.testing.assert_close(new[:, :, video].double(), torch.from_numpy(dense(call)[1]), atol=1e-6, rtol=1e-6)


@square_kinds
@pytest.mark.parametrize("alpha,strength", [(0.25, 1.0), (0.5, 0.3), (1.0, 0.5), (0.0, 0.75)])
def test_mix_and_strength(kind, alpha, strength):
    call = attention(kind)
    out, new, video = perturbed(call, alpha=alpha, strength=strength)
    u = perturbed(call, alpha=0.0)[1][:, :, video]
    wanted = (1 - strength) * out[:, :, video] + strength * (alpha * call.v[:, :, video] + (1 - alpha) * u)
    torch.testing.assert_close(new[:, :, video], wanted, atol=1e-6, rtol=1e-6)


def test_neutral_does_not_act():
    assert not AttentionPerturbation.neutral().acts() and AttentionPerturbation(strength=0.01).acts()


@pytest.mark.parametrize(
    "settings,said",
    [
        ({"alpha": 1.5}, "alpha, but got 1.5"),
        ({"strength": -0.1}, "strength, but got -0.1"),
        ({"strength": float("nan")}, "strength, but got nan"),
        ({"where": Where(kinds=frozenset({"cross"}))}, "no identity"),
        ({"alpha": 0.5, "where": Where(kinds=frozenset({"self", "cross"}))}, "identity share of 0.5.*Choose uniform"),
    ],
)
def test_bad_settings_are_named(settings, said):
    with pytest.raises(TemporalAttentionError, match=said):
        AttentionPerturbation(**settings)


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that is made, views of `given` left out."""

    elements, given = 0, None

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        memory = out.untyped_storage().data_ptr() if isinstance(out, torch.Tensor) else None
        if memory is not None and (self.given is None or memory != self.given.data_ptr()):
            self.elements = max(self.elements, out.numel())
        return out


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_nothing_is_larger_than_the_output(alpha):
    call = attention("joint", frames=10, height=12, width=12, mask="lowest")
    with Largest() as mode:
        AttentionPerturbation(alpha=alpha).after(call, torch.zeros_like(call.q))
    assert mode.elements <= call.q.numel()


def test_a_bias_of_its_own_for_every_row_is_read_in_parts():
    call = attention("self", frames=10, height=8, width=8)
    bias = torch.zeros(1, 1, *(2 * [call.forward.grid.tokens]))
    with Largest() as mode:
        mode.given = bias
        perturbed(replace(call, bias=bias), alpha=0.0)
    assert mode.elements < bias.numel() / 2
