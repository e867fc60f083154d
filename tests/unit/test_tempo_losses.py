"""TempoControl's losses against float64 loops, on cases with known answers, their gradients, and their promises."""

import math

import pytest
import torch

from pack.py.maths.tempo_losses import frame_signal, tempo_losses


def naive_losses(attention, masks, wanted_mass=1.0):
    """{name: [B][P]} by loops over nested lists, from the definitions."""
    limit = float(torch.tensor(0.7, dtype=masks.dtype))
    found = {"correlation": [], "magnitude": [], "entropy": [], "mass_ratio": []}
    for sample in attention.double().tolist():
        rows = [
            naive_phrase(frames, mask, limit, wanted_mass) for frames, mask in zip(sample, masks.double().tolist(), strict=True)
        ]
        for name, values in found.items():
            values.append([row[name] for row in rows])
    return found


def naive_phrase(frames, mask, limit, wanted_mass):
    tokens = len(frames[0])
    means = [sum(frame) / tokens for frame in frames]
    low, high = min(means), max(means)
    s, m = [(value - low) / (high - low + 1e-6) for value in means][1:], mask[1:]
    mean_s, mean_m = sum(s) / len(s), sum(m) / len(m)
    covariance = sum((a - mean_s) * (b - mean_m) for a, b in zip(s, m, strict=True)) / len(s)
    var_s, var_m = sum((a - mean_s) ** 2 for a in s) / len(s), sum((b - mean_m) ** 2 for b in m) / len(m)
    correlation = covariance / math.sqrt(var_s + 1e-6) / math.sqrt(var_m + 1e-6)
    active = [sum(frame) for frame, wanted in zip(frames, mask, strict=True) if wanted > limit]
    inactive = [sum(frame) for frame, wanted in zip(frames, mask, strict=True) if wanted < limit]
    mass_a, mass_i = (sum(mass) / len(mass) if mass else 0.0 for mass in (active, inactive))
    entropies = []
    for frame, wanted in zip(frames, mask, strict=True):
        if wanted > limit:
            p = [value / sum(frame) for value in frame]
            entropies.append(-sum(value * math.log(value) for value in p if value > 0))
    entropy = sum(entropies) / len(entropies) if entropies else 0.0
    return {
        "correlation": 0.0 if max(m) == min(m) else correlation,
        "magnitude": (mass_i - (wanted_mass if inactive and active else max(wanted_mass, 0.3)) * mass_a) * 1560 / tokens,
        "entropy": entropy * math.log(1560) / math.log(tokens),
        "mass_ratio": mass_i / mass_a if mass_a else None,
    }


def some(seed, dtype=torch.float64):
    """Random attention [B, P, F, S] and masks [P, F], some constant, some exactly at the threshold."""
    generator = torch.Generator().manual_seed(seed)
    batch, phrases, frames, tokens = (int(torch.randint(low, 7, (), generator=generator)) for low in (1, 1, 3, 2))
    attention = torch.rand(batch, phrases, frames, tokens, generator=generator, dtype=torch.float64) * 0.01
    masks = torch.rand(phrases, frames, generator=generator, dtype=torch.float64)
    masks[0] = masks[0].round()
    masks[-1, 0] = 0.7
    if phrases > 2:
        masks[1] = 1.0
    return attention.to(dtype), masks.to(dtype)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("dtype,atol", [(torch.float64, 1e-7), (torch.float32, 2e-4)])
@pytest.mark.parametrize("wanted_mass", [1.0, 0.25, 0.0])
def test_against_loops(seed, dtype, atol, wanted_mass):
    attention, masks = some(seed, dtype)
    found, expected = tempo_losses(attention, masks, wanted_mass), naive_losses(attention, masks, wanted_mass)
    for name, rows in expected.items():
        for own, row in zip(getattr(found, name).tolist(), rows, strict=True):
            for value, wanted in zip(own, row, strict=True):
                assert wanted is None or value == pytest.approx(wanted, abs=atol, rel=1e-4), name
    total = [
        sum(-c + 0.5 * m + 2 * e for c, m, e in zip(*row, strict=True)) / len(row[0])
        for row in zip(expected["correlation"], expected["magnitude"], expected["entropy"], strict=True)
    ]
    assert found.total(mass_weight=0.5, entropy_weight=2).tolist() == pytest.approx(total, abs=10 * atol)


def uniform(per_frame, tokens=1560):
    """[1, 1, F, S]: each frame has this mass, spread evenly."""
    return torch.tensor(per_frame, dtype=torch.float64)[None, None, :, None].expand(1, 1, len(per_frame), tokens) / tokens


def test_attention_in_step_with_the_mask():
    masks = torch.tensor([[0.0, 0, 0, 1, 1, 1]])
    found = tempo_losses(uniform([0.1, 0.1, 0.1, 0.5, 0.5, 0.5]), masks)
    assert found.correlation.item() == pytest.approx(1, abs=1e-4)
    assert found.magnitude.item() == pytest.approx(0.1 - 0.5) and found.mass_ratio.item() == pytest.approx(0.2)
    assert found.entropy.item() == pytest.approx(math.log(1560), abs=1e-4)
    against = tempo_losses(uniform([0.5, 0.5, 0.5, 0.1, 0.1, 0.1]), masks)
    assert against.correlation.item() == pytest.approx(-1, abs=1e-4) and against.magnitude.item() == pytest.approx(0.4)


def test_the_first_latent_frame_does_not_count_for_the_correlation():
    """Its signal is the lowest, so that the range of the others does not depend on how low it is."""
    masks = torch.tensor([[0.0, 0, 1, 1]])
    one, other = tempo_losses(uniform([0.1, 0.1, 0.3, 0.2]), masks), tempo_losses(uniform([0.1, 0.1, 0.3, 0.2]), 1 - masks)
    assert one.correlation.item() == pytest.approx(-other.correlation.item()) != 0
    flipped = tempo_losses(uniform([0.1, 0.1, 0.3, 0.2]), torch.tensor([[1.0, 0, 1, 1]]))
    assert flipped.correlation.item() == pytest.approx(one.correlation.item())


def test_the_resolution_changes_no_term():
    """A fourth of the tokens with the same attention each: a fourth of the mass, less entropy, the same losses."""
    masks = torch.tensor([[0.0, 1, 1, 0]])
    fine = tempo_losses(uniform([0.2, 0.4, 0.5, 0.1]), masks)
    coarse = tempo_losses(uniform([0.05, 0.1, 0.125, 0.025], 390), masks)
    for name in ("correlation", "magnitude", "entropy"):
        assert getattr(coarse, name).item() == pytest.approx(getattr(fine, name).item(), abs=1e-5)


def test_a_map_on_one_token_has_no_entropy():
    attention = torch.zeros(1, 1, 3, 16, dtype=torch.float64)
    attention[..., 5] = 0.3
    assert tempo_losses(attention, torch.ones(1, 3)).entropy.item() == pytest.approx(0, abs=1e-7)


def test_a_static_phrase_has_magnitude_and_entropy_only():
    attention, _ = some(3)
    masks = torch.ones(attention.shape[1], attention.shape[2])
    found = tempo_losses(attention, masks)
    assert not found.correlation.any() and not found.timed.any() and not found.contrasted.any()
    assert (found.magnitude < 0).all() and (found.entropy > 0).all()
    assert not found.satisfied().any(), "nothing says when it is enough"


def test_every_constant_mask_has_no_correlation_and_no_gradient_from_it():
    """0.3 is not exact in binary, so that its mean differs from it by rounding."""
    attention = torch.rand(2, 1, 9, 4, requires_grad=True)
    found = tempo_losses(attention, torch.full((1, 9), 0.3))
    found.correlation.sum().backward()
    assert not found.correlation.any() and not attention.grad.any()


@pytest.mark.parametrize("seed", range(6))
def test_gradients_against_finite_differences(seed):
    attention, masks = some(seed)
    leaf = (attention + 1e-3).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: tempo_losses(a, masks).total(), leaf, eps=1e-8, atol=1e-3, rtol=1e-3)
    assert torch.autograd.gradcheck(lambda a: frame_signal(a), leaf, eps=1e-8, atol=1e-3, rtol=1e-3)


def test_each_sample_has_its_own_loss():
    attention = torch.rand(3, 2, 5, 4, requires_grad=True)
    masks = torch.tensor([[0.0, 0, 1, 1, 1], [1.0, 1, 0, 0, 0]])
    tempo_losses(attention, masks).total()[1].backward()
    assert attention.grad[1].any() and not attention.grad[0].any() and not attention.grad[2].any()
    alone = tempo_losses(attention[1:2], masks).total()
    torch.testing.assert_close(alone, tempo_losses(attention, masks).total()[1:2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_worked_on_in_float32(dtype):
    attention, masks = some(5)
    low = attention.to(dtype)
    found = tempo_losses(low, masks)
    assert found.total().dtype == torch.float32
    torch.testing.assert_close(found.total(), tempo_losses(low.float(), masks.float()).total())


def test_when_it_is_enough():
    masks = torch.tensor([[0.0, 0, 1, 1], [1.0, 1, 1, 1]])
    good, high, wrong = [0.1, 0.1, 0.4, 0.4], [0.35, 0.35, 0.4, 0.4], [0.1, 0.4, 0.4, 0.1]
    attention = torch.cat([torch.cat([uniform(frames, 16), uniform([0.2] * 4, 16)], 1) for frames in (good, high, wrong)])
    found = tempo_losses(attention, masks)
    assert found.satisfied().tolist() == [True, False, False]
    assert found.satisfied(mass_ratio=None).tolist() == [True, True, False], "as in the paper"
    assert found.satisfied(mass_ratio=0.9).tolist() == [True, True, False]
    assert found.satisfied(correlation=-1, mass_ratio=0.2).tolist() == [False, False, False]


def test_one_phrase_that_lags_holds_up_the_sample():
    masks = torch.tensor([[0.0, 0, 1, 1], [1.0, 1, 0, 0]])
    both = torch.cat([uniform([0.1, 0.1, 0.4, 0.4], 16), uniform([0.1, 0.1, 0.4, 0.4], 16)], 1)
    assert not tempo_losses(both, masks).satisfied().item()
    assert tempo_losses(both, masks[:1].expand(2, 4)).satisfied().item()


def test_a_mask_that_changes_only_after_the_first_frame_has_a_ratio_but_no_correlation():
    found = tempo_losses(uniform([0.4, 0.1, 0.1, 0.1], 16), torch.tensor([[1.0, 0, 0, 0]]))
    assert not found.timed.item() and found.contrasted.item()
    assert found.satisfied().item() and not found.satisfied(mass_ratio=None).item()


def test_inputs_stay_as_they_are():
    attention, masks = some(7)
    before = attention.clone(), masks.clone()
    tempo_losses(attention, masks).satisfied()
    assert torch.equal(attention, before[0]) and torch.equal(masks, before[1])


def test_nothing_waits_for_the_device():
    """Meta tensors have no values: whatever asks for one raises."""
    found = tempo_losses(torch.rand(2, 3, 5, 8, device="meta"), torch.rand(3, 5, device="meta"))
    assert found.total().shape == found.satisfied().shape == (2,)
