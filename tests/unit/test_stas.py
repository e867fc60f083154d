"""STAS and the probes on hand-made blocks against a naive float64 reference; presets, settings, and what it costs."""

import numpy as np
import pytest
import reference_activations as reference
import torch
from events import block, forward
from reference import double
from torch.utils._python_dispatch import TorchDispatchMode

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, Step
from pack.py.techniques.activation_probe import ActivationProbe
from pack.py.techniques.stas import StructuredActivationSteering
from pack.py.techniques.stas_presets import PRESETS, guessed_block, preset_of

TOLERANCE = 1e-6
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "_linalg_check_errors", "equal", "is_nonzero"}


def call(seed=0, frames=4, height=3, width=5, channels=9, branches=(Branch.UNCOND, Branch.COND), dtype=torch.float32):
    """A block output whose rows differ in size."""
    made = block(seed, channels, forward(branches, frames, height, width))
    return made.edit(x=(made.x * torch.arange(1, len(branches) + 1).view(-1, 1, 1)).to(dtype))


def stas(**settings):
    return StructuredActivationSteering(**{"channels": (2, 7), **settings})


# The paper's rule


@pytest.mark.parametrize("strength", [1.0, 0.3, 1.7])
@pytest.mark.parametrize("percent", [0.0, 8.0, 25.0, 50.0])
@pytest.mark.parametrize("first,boundaries", [(True, True), (True, False), (False, True)])
def test_values_equal_the_reference(strength, percent, first, boundaries):
    given = call()
    out = stas(alpha=1.2, percent=percent, first_frame=first, boundaries=boundaries, strength=strength).block(given)
    options = {"alpha": 1.2, "percent": percent, "first": first, "boundaries": boundaries, "strength": strength}
    wanted = reference.steered(double(given.x), 15, (2, 7), **options)
    assert np.abs(double(out.x) - wanted).max() < TOLERANCE * np.abs(wanted).max()


@pytest.mark.parametrize("seed,frames,height,width", [(0, 2, 1, 1), (1, 5, 2, 2), (2, 3, 7, 3), (3, 9, 4, 4)])
@pytest.mark.parametrize("omega", [None, 1.5, -0.5])
def test_both_rules_equal_the_reference_on_other_shapes(seed, frames, height, width, omega):
    given = call(seed, frames, height, width, branches=(Branch.COND,) * 3)
    rule = {} if omega is None else {"rule": "scaling", "omega": omega}
    wanted = reference.steered(double(given.x), height * width, (2, 7), alpha=2.5, omega=omega)
    got = double(stas(**rule).block(given).x)
    assert np.abs(got - wanted).max() < TOLERANCE * np.abs(wanted).max()


def test_at_full_strength_the_target_is_met_exactly():
    given = call()
    out = stas(channels=(4,), alpha=2.0).block(given).x
    peaks = given.x[..., 4].abs().amax(1)
    assert torch.equal(out[:, :15, 4], 2 * peaks[:, None] * given.x[:, :15, 4].sign())


def test_everything_else_is_bit_identical():
    given = call()
    out = stas(percent=8.0).block(given).x
    same = out == given.x
    assert same[..., [0, 1, 3, 4, 5, 6, 8]].all()
    inside = [i for i in range(60) if reference.region(i, 15, 8) == 2]
    assert same[:, inside].all() and not same[:, :15, [2, 7]].any()


def test_a_row_does_not_depend_on_the_others():
    given = call(branches=(Branch.UNCOND, Branch.UNCOND, Branch.COND))
    together = stas().block(given).x
    for row in range(3):
        alone = given.edit(x=given.x[row : row + 1], rows=(row,))
        assert torch.equal(stas().block(alone).x, together[row : row + 1])


def test_the_block_is_not_written():
    given = call()
    kept = given.x.clone()
    assert stas().block(given).x is not given.x and torch.equal(given.x, kept)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype):
    given = call(dtype=dtype)
    out = stas(strength=0.6).block(given).x
    wanted = torch.from_numpy(reference.steered(double(given.x), 15, (2, 7), strength=0.6))
    assert out.dtype == dtype
    torch.testing.assert_close(out.double(), wanted, atol=0, rtol=torch.finfo(dtype).eps / 2 * 1.01)


def test_a_peak_beyond_float16_does_not_become_infinite():
    given = call(dtype=torch.float16)
    given = given.edit(x=given.x * 1e4)
    assert stas(alpha=20.0).block(given).x.isfinite().all()


# The probes of Fig. 3


@pytest.mark.parametrize("scope", ["all tokens", "first frame"])
@pytest.mark.parametrize("action", ["zero", "amplify", "set to maximum"])
def test_probes_equal_the_reference(action, scope):
    given = call()
    out = ActivationProbe(channels=(2, 7), action=action, factor=2.5, scope=scope).block(given).x
    spatial = 60 if scope == "all tokens" else 15  # for the reference: all of it is the first frame, or that alone
    rule = {"zero": {"omega": -1.0}, "amplify": {"omega": 1.5}, "set to maximum": {}}[action]
    wanted = reference.steered(double(given.x), spatial, (2, 7), alpha=2.5, boundaries=False, **rule)
    assert np.abs(double(out) - wanted).max() < TOLERANCE * np.abs(wanted).max()


# No change


def test_neutral_settings_do_not_act():
    assert not StructuredActivationSteering.neutral().acts() and not ActivationProbe.neutral().acts()
    assert not stas(strength=0.0).acts() and not StructuredActivationSteering().acts() and not ActivationProbe().acts()
    assert not stas(first_frame=False, boundaries=False).acts() and stas(first_frame=False).acts()
    assert stas().acts() and ActivationProbe(channels=(1,)).acts()


def test_strength_zero_is_bit_exact_even_if_asked():
    given = call()
    assert torch.equal(stas(strength=0.0).block(given).x, given.x)


# The window


def test_the_default_window_is_the_first_20_of_50_steps():
    """A flow model's usual schedule puts step i of n at progress i / n; other lengths keep the paper's 40 %."""
    for steps, acting in ((50, 20), (100, 40), (20, 8), (10, 4), (4, 2)):
        inside = [stas().window.contains(Step(i, steps, 1 - i / steps, i / steps, 1 - i / steps)) for i in range(steps)]
        assert sum(inside) == acting and inside[:acting] == [True] * acting


# Presets


@pytest.mark.parametrize(
    "model,blocks,hidden,channel,block,alpha,percent",
    [
        ("Wan2.1-T2V-1.3B", 30, 1536, 1188, 9, 2.5, 8),
        ("Wan2.2-TI2V-5B", 30, 3072, 1938, 9, 2.0, 12),
        ("CogVideoX-5B", 42, 3072, 1982, 8, 1.2, 8),
    ],
)
def test_presets_are_the_papers_tables(model, blocks, hidden, channel, block, alpha, percent):
    preset = preset_of(blocks, hidden)
    assert (preset.model, preset.channels, preset.block) == (model, (channel,), block)
    assert (preset.alpha, preset.percent) == (alpha, percent)


def test_other_shapes_have_no_preset_and_a_guessed_block():
    assert len(PRESETS) == 3 and all(preset_of(*shape) is None for shape in ((40, 5120), (30, 1920), (42, 1536), (6, 64)))
    assert [guessed_block(blocks) for blocks in (1, 6, 30, 40, 42)] == [0, 2, 9, 12, 12]


# Settings


@pytest.mark.parametrize(
    "technique,settings,said",
    [
        (StructuredActivationSteering, {"percent": -1.0}, "0 to 50.*-1"),
        (StructuredActivationSteering, {"percent": 50.5}, "0 to 50.*50.5"),
        (StructuredActivationSteering, {"percent": float("nan")}, "0 to 50.*nan"),
        (StructuredActivationSteering, {"alpha": float("inf")}, "alpha.*inf"),
        (StructuredActivationSteering, {"omega": float("nan")}, "omega.*nan"),
        (StructuredActivationSteering, {"strength": float("nan")}, "strength.*nan"),
        (StructuredActivationSteering, {"rule": "mean"}, "rule.*'mean'"),
        (StructuredActivationSteering, {"channels": (3, -1)}, "channel.*-1"),
        (StructuredActivationSteering, {"channels": (3, 3)}, "each once"),
        (ActivationProbe, {"factor": float("nan")}, "factor.*nan"),
        (ActivationProbe, {"action": "double"}, "action.*'double'"),
        (ActivationProbe, {"scope": "last frame"}, "scope.*'last frame'"),
        (ActivationProbe, {"channels": (-2,)}, "channel.*-2"),
    ],
)
def test_bad_settings_are_named(technique, settings, said):
    with pytest.raises(TemporalAttentionError, match=said) as raised:
        technique(**settings)
    assert raised.value.do


# What it costs


class Elements(TorchDispatchMode):
    """Adds up the elements that operations write, views aside, and keeps their names."""

    def __init__(self):
        super().__init__()
        self.total, self.names = 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.names.add(func.overloadpacket.__name__)
        if isinstance(out, torch.Tensor) and not func.is_view:
            self.total += out.numel()
        return out


SIZES = ((21, 30, 52, 8960), (21, 22, 40, 14336), (13, 30, 45, 12288))  # grid and inner width of the MLP, for each preset


@pytest.mark.parametrize("preset,sizes", list(zip(PRESETS, SIZES, strict=True)), ids=[preset.model for preset in PRESETS])
def test_it_costs_far_less_than_a_thousandth_of_a_step(preset, sizes):
    """Against the multiplications of the linear layers of one pass alone (attention not counted): 4 C^2 + 2 C inner a token."""
    *size, inner = sizes
    grid = forward((Branch.COND,), *size)
    tokens = grid.grid.tokens
    x = torch.empty(1, tokens, preset.hidden, dtype=torch.bfloat16, device="meta")
    with Elements() as count:
        StructuredActivationSteering(channels=preset.channels, percent=preset.percent).block(call().edit(forward=grid, x=x))
    copied = tokens * preset.hidden
    assert copied <= count.total <= copied + 10 * tokens * len(preset.channels)
    step = preset.blocks * tokens * (4 * preset.hidden**2 + 2 * preset.hidden * inner)
    assert count.total / step < 1e-5


PROBE = ActivationProbe(channels=(1,), action="set to maximum")


@pytest.mark.parametrize("technique", [stas(), stas(rule="scaling"), PROBE], ids=["max", "scaling", "probe"])
def test_nothing_waits_for_the_device(technique):
    with Elements() as seen:
        technique.block(call())
    assert "clone" in seen.names and not seen.names & WAITS
