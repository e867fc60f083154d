"""Spectral Transport Homeostasis on hand-made calls: gamma, weights, what is touched, and which way tension moves."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from events import measured
from reference import double
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from pack.py.core.attention import Attention
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, Forward, Grid, Site, Step
from pack.py.core.intervention import Window
from pack.py.maths.weights import deep_strong, early_strong
from pack.py.techniques.estimator import Estimator
from pack.py.techniques.sth import SpectralTransportHomeostasis

BRANCHES = (Branch.UNCOND, Branch.UNCOND, Branch.COND, Branch.COND)
GRIDS = {
    "video only": Grid(5, 2, 3, tokens=30),
    "text after": Grid(5, 2, 3, tokens=37),
    "reference before": Grid(5, 2, 3, tokens=34, start=4),
    "tokens on both sides": Grid(5, 2, 3, tokens=41, start=7),
}
ESTIMATORS = {
    "same_position": Estimator(),
    "pooled": Estimator("pooled"),
    "exact, all rows": Estimator("exact", 6),
    "exact, two rows": Estimator("exact", 2),
}
TOLERANCE = 5e-6  # of a gamma near 1, in float32

every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
per_call_and_per_head = pytest.mark.parametrize("per_head", (False, True), ids=("per call", "per head"))


def dense_kernel(call):
    return torch.softmax(call.q.float() @ call.k.float().mT * call.scale, -1).to(call.v.dtype) @ call.v


def attention(grid=GRIDS["video only"], site=None, progress=0.3, noise=0.8, dtype=torch.float32, seed=0, heads=3, width=8):
    """Two samples of each branch; each sample and head has another tension: scores flat to sharp, partly coded by frame."""
    batch = len(BRANCHES)
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(batch, heads, grid.tokens, width, generator=generator) for _ in range(3))
    frame = (torch.arange(grid.tokens) - grid.start).clamp(0) // grid.spatial % grid.frames
    code = torch.nn.functional.one_hot(frame, width).float()
    size = torch.tensor([0.3, 0.8, 1.5, 2.5]).view(batch, 1, 1, 1)
    coded = torch.linspace(0, 2, heads).view(1, heads, 1, 1)
    q, k = (size * x + coded * size * code for x in (q, k))
    step = Step(index=3, total=10, sigma=noise, progress=progress, noise=noise)
    forward = Forward(step, grid, BRANCHES, (0, 1, 0, 1))
    rows = tuple(range(batch))
    return Attention(
        site or Site(2, 4, "self"), forward, q.to(dtype), k.to(dtype), v.to(dtype), None, width**-0.5, dense_kernel, rows
    )


def planted(score, frames=6, spatial=4, heads=2, seed=0, own=True):
    """Scores between tokens of one frame (or, if not `own`, of all frames with frame 0) exceed the others by `score`."""
    width = frames + 2
    grid = Grid(frames, 2, spatial // 2, tokens=frames * spatial)
    generator = torch.Generator().manual_seed(seed)
    code = torch.eye(frames, width).repeat_interleave(spatial, 0)
    q = (code if own else code[:1].expand(len(code), -1)) * score**0.5
    q, k = q.expand(1, heads, -1, -1), (code * score**0.5).expand(1, heads, -1, -1)
    q, k = (x + 0.02 * torch.randn(1, heads, frames * spatial, width, generator=generator) for x in (q, k))
    forward = Forward(Step(0, 10, 1.0, 0.0, 1.0), grid, (Branch.COND,), (0,))
    return Attention(Site(3, 4, "self"), forward, q, k, torch.randn(q.shape, generator=generator), None, 1.0, dense_kernel, (0,))


def tau_eff(sth, call):
    step = call.forward.step
    return (
        sth.tau
        * reference.layer_weight(sth.layer_weight, call.site.block, call.site.blocks)
        * reference.step_weight(sth.step_weight, step.progress, step.noise)
    )


def notes(call):
    return {note.name: note.value for note in call.notes}


def per_token(factor, x):
    """[B] or [B, H] -> a factor of x [B, H, L, D]."""
    return torch.as_tensor(factor).view(len(x), -1, 1, 1)


def flat(**settings):
    return SpectralTransportHomeostasis(layer_weight="flat", step_weight="flat", **settings)


# The paper's rule


@every_estimator
@per_call_and_per_head
def test_queries_are_scaled_by_the_reference_gamma(estimator, per_head):
    sth = SpectralTransportHomeostasis(tau=0.7, estimator=estimator, per_head=per_head)
    call = attention()
    wanted = reference.gamma(measured(call, estimator), tau_eff(sth, call), per_head)
    edited = sth.before(call)
    assert np.abs(double(edited.q / call.q).mean((-2, -1)) - wanted.reshape(4, -1)).max() < TOLERANCE
    assert_close(edited.q.double(), call.q.double() * per_token(wanted, call.q), atol=0, rtol=TOLERANCE)
    assert np.ptp(wanted) > 0.1, "samples must differ, or this test says little"


@every_estimator
@per_call_and_per_head
@every_grid
def test_only_video_queries_are_touched(estimator, per_head, grid):
    sth = flat(tau=0.7, estimator=estimator, per_head=per_head)
    call = attention(grid)
    edited = sth.before(call)
    wanted = reference.gamma(measured(call, estimator), 0.7, per_head)
    expected = call.q.double()
    expected[:, :, grid.video] *= per_token(wanted, call.q)
    assert_close(edited.q.double(), expected, atol=0, rtol=TOLERANCE)
    outside = torch.ones(grid.tokens, dtype=torch.bool)
    outside[grid.video] = False
    assert torch.equal(edited.q[:, :, outside], call.q[:, :, outside])
    assert edited.k is call.k and edited.v is call.v and edited.bias is None
    assert edited.scale == call.scale and edited.rows == call.rows


def test_tokens_outside_the_video_do_not_count():
    grid = GRIDS["tokens on both sides"]
    call = attention(grid)
    q, k = call.q.clone(), call.k.clone()
    for x in (q, k):
        x[:, :, : grid.start] = 50.0
        x[:, :, grid.video.stop :] = -50.0
    for estimator in ESTIMATORS.values():
        sth = flat(tau=0.7, estimator=estimator)
        first, second = sth.before(attention(grid)), sth.before(replace(call, q=q, k=k, notes=[], memory={}))
        assert torch.equal(notes(first)["gamma"], notes(second)["gamma"])


@per_call_and_per_head
def test_gamma_of_a_sample_does_not_depend_on_the_batch(per_head):
    sth = flat(tau=0.7, per_head=per_head)
    call = attention()
    together = notes(sth.before(call))["gamma"]
    for row in range(4):
        forward = replace(call.forward, branches=BRANCHES[row : row + 1], samples=call.forward.samples[row : row + 1])
        part = {name: getattr(call, name)[row : row + 1] for name in "qkv"}
        alone = sth.before(replace(call, forward=forward, rows=(0,), notes=[], memory={}, **part))
        assert_close(notes(alone)["gamma"], together[row : row + 1], atol=TOLERANCE, rtol=0)


def test_gamma_of_a_call_is_that_of_the_mean_tension_not_the_mean_gamma():
    sth = flat(tau=2.0)
    call = attention()
    got = double(notes(sth.before(call))["gamma"])
    t = measured(call, sth.estimator).tension
    assert np.abs(np.exp(2 * t).mean(1) - np.exp(2 * t.mean(1))).max() > 0.01
    assert np.abs(got - np.exp(2 * t.mean(1))).max() < 1e-5


def test_the_models_own_scale_is_used():
    sth = flat(tau=0.7)
    call = attention().edit(scale=0.05)
    q, k = (double(call.forward.grid.by_frame(x)) for x in (call.q, call.k))
    wanted = reference.gamma(reference.same_position(q, k, 0.05), 0.7, False)
    assert np.abs(double(notes(sth.before(call))["gamma"]) - wanted).max() < TOLERANCE


def test_the_kernel_receives_the_scaled_queries():
    """Eq. 6: O' = softmax(gamma Q K^T / sqrt d) V."""
    sth = flat(tau=0.7)
    call = attention()
    out = sth.before(call).attend()
    g = per_token(reference.gamma(measured(call, sth.estimator), 0.7, False), call.q)
    wanted = torch.softmax(g * call.q.double() @ call.k.double().mT * call.scale, -1) @ call.v.double()
    assert_close(out.double(), wanted, atol=1e-5, rtol=0)


def test_twice_in_a_row_measures_what_the_first_one_left():
    """A measurement kept in the call's memory must not be that of other queries."""
    sth = flat(tau=1.0)
    call = attention()
    first = sth.before(call)
    second = sth.before(first)
    wanted = reference.gamma(measured(first, sth.estimator), 1.0, False)
    assert np.abs(double((second.q / first.q).mean((1, 2, 3))) - wanted).max() < TOLERANCE
    assert np.abs(wanted - reference.gamma(measured(call, sth.estimator), 1.0, False)).max() > 0.01


def test_measurements_are_not_mixed_up():
    """Many queries on one call's memory, each freed before the next (its address may come back), by every estimator."""
    call = attention()
    for i in range(12):
        edited = call.edit(q=call.q * (0.2 * i), k=call.k * (1 + 0.1 * (i % 3)))
        for estimator in ESTIMATORS.values():
            got, wanted = estimator.measure(edited), measured(edited, estimator)
            assert np.abs(double(got.matrix) - wanted.matrix).max() < 1e-5
            assert np.abs(double(got.h_row) - wanted.h_row).max() < 1e-5
        del edited


# Weights


@pytest.mark.parametrize(
    "place,deep,early",
    ((0, 0, 1), (0.25, 0.1464466, 0.8535534), (0.5, 0.5, 0.5), (0.75, 0.8535534, 0.1464466), (1, 1, 0)),
)
def test_cosine_weights(place, deep, early):
    assert deep_strong(place) == pytest.approx(deep, abs=1e-7)
    assert early_strong(place) == pytest.approx(early, abs=1e-7)


@pytest.mark.parametrize("layer", ("deep strong", "flat"))
@pytest.mark.parametrize("step", ("progress", "noise level", "flat"))
@pytest.mark.parametrize(
    "block,blocks,progress,noise", ((1, 5, 0.1, 0.95), (2, 5, 0.6, 0.6), (4, 5, 0.9, 0.2), (3, 40, 0.0, 1.0), (1, 2, 0.5, 0.9))
)
def test_strength_by_depth_progress_and_noise(layer, step, block, blocks, progress, noise):
    sth = SpectralTransportHomeostasis(tau=0.7, layer_weight=layer, step_weight=step)
    call = attention(site=Site(block, blocks, "self"), progress=progress, noise=noise)
    edited = sth.before(call)
    tau = tau_eff(sth, call)
    assert tau > 0
    assert_close(notes(edited)["tau_eff"], torch.full((4,), tau), atol=1e-6, rtol=0)
    wanted = reference.gamma(measured(call, sth.estimator), tau, False)
    assert np.abs(double(edited.q / call.q).mean((1, 2, 3)) - wanted).max() < TOLERANCE


def test_defaults_are_the_papers():
    sth = SpectralTransportHomeostasis()
    assert (sth.tau, sth.rule, sth.per_head) == (0.2, "query temperature", False)
    assert (sth.layer_weight, sth.step_weight, sth.estimator.name) == ("deep strong", "progress", "same_position")
    call = attention(site=Site(3, 4, "self"), progress=0.0)
    assert_close(notes(sth.before(call))["tau_eff"], torch.full((4,), 0.2), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tau", (-0.5, 0.1, 2.0))
def test_gamma_follows_tau(tau):
    call = attention()
    wanted = reference.gamma(measured(call, Estimator()), tau, False)
    assert np.abs(double(notes(flat(tau=tau).before(call))["gamma"]) / wanted - 1).max() < 5e-6


# No change


def test_tau_zero_is_neutral():
    assert not SpectralTransportHomeostasis(tau=0.0).acts()
    assert not SpectralTransportHomeostasis.neutral().acts()
    assert SpectralTransportHomeostasis.neutral().tau == 0
    assert SpectralTransportHomeostasis().acts() and SpectralTransportHomeostasis(tau=-0.2).acts()


@pytest.mark.parametrize("rule", ("query temperature", "output gain"))
def test_tau_zero_is_a_bit_exact_no_op(rule):
    sth = flat(tau=0.0, rule=rule)
    call = attention()
    assert torch.equal(sth.before(call).q, call.q)
    out = call.attend()
    assert torch.equal(sth.after(call, out), out)


def test_first_block_is_returned_unchanged():
    sth = SpectralTransportHomeostasis(tau=2.0)
    for site in (Site(0, 4, "self"), Site(0, 1, "self")):
        call = attention(site=site)
        assert sth.before(call) is call
        assert flat(tau=2.0).before(call) is not call


@pytest.mark.parametrize("step_weight,progress,noise", (("progress", 1.0, 0.5), ("noise level", 0.5, 0.0)))
def test_end_of_the_run_is_returned_unchanged(step_weight, progress, noise):
    call = attention(progress=progress, noise=noise)
    assert SpectralTransportHomeostasis(tau=2.0, step_weight=step_weight).before(call) is call


def test_first_block_keeps_its_output():
    sth = SpectralTransportHomeostasis(tau=2.0, rule="output gain")
    call = attention(site=Site(0, 4, "self"))
    out = call.attend()
    assert sth.before(call) is call and torch.equal(sth.after(call, out), out)


def test_each_rule_leaves_the_other_side_alone():
    call = attention()
    out = call.attend()
    assert flat(tau=1.0).after(call, out) is out
    assert flat(tau=1.0, rule="output gain").before(call) is call


def test_a_balanced_head_is_left_as_it_is():
    """T = 0: two frames, pattern with equal row and spectral entropy."""
    grid = Grid(2, 1, 1, tokens=2)
    scores = np.linspace(0.01, 6, 600)
    t = [reference.tension(reference.pattern_of(np.eye(2) * s, np.eye(2), 1.0)) for s in scores]
    crossing = float(np.interp(0.0, -np.array(t), scores))
    q, k = (torch.eye(2) * crossing).view(1, 1, 2, 2), torch.eye(2).view(1, 1, 2, 2)
    forward = Forward(Step(0, 10, 1.0, 0.0, 1.0), grid, (Branch.COND,), (0,))
    call = Attention(Site(3, 4, "self"), forward, q, k, q, None, 1.0, dense_kernel, (0,))
    assert notes(flat(tau=2.0).before(call))["gamma"].item() == pytest.approx(1, abs=1e-3)


# What it leaves behind


@per_call_and_per_head
def test_notes_hold_what_was_applied(per_head):
    sth = SpectralTransportHomeostasis(tau=0.9, per_head=per_head)
    call = attention()
    edited = sth.before(call)
    said = notes(edited)
    assert said["gamma"].shape == ((4, 3) if per_head else (4,))
    assert_close(edited.q, call.q * per_token(said["gamma"], call.q), atol=0, rtol=TOLERANCE)
    wanted = reference.gamma(measured(call, sth.estimator), tau_eff(sth, call), per_head)
    assert np.abs(double(said["gamma"]) - wanted).max() < TOLERANCE
    assert np.abs(double(said["tau_eff"]).reshape(4, -1) - tau_eff(sth, call)).max() < 1e-6
    assert all(note.rows == call.rows for note in edited.notes)
    assert edited.notes is call.notes


def test_rows_of_one_branch_are_noted_as_such():
    sth = flat(tau=0.9)
    call = attention()
    part = call.edit(q=call.q[2:], k=call.k[2:], v=call.v[2:], rows=(2, 3))
    edited = sth.before(part)
    assert all(note.rows == (2, 3) and len(note.value) == 2 for note in edited.notes)
    wanted = reference.gamma(measured(call, sth.estimator), 0.9, False)[2:]
    assert np.abs(double(notes(edited)["gamma"]) - wanted).max() < TOLERANCE


def test_where_nothing_is_done_gamma_is_noted_as_one():
    call = attention(site=Site(0, 4, "self"))
    SpectralTransportHomeostasis(tau=2.0).before(call)
    said = notes(call)
    assert torch.equal(said["gamma"], torch.ones(4)) and torch.equal(said["tau_eff"], torch.zeros(4))


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16))
@per_call_and_per_head
@every_grid
def test_half_precision_queries_are_rounded_once(dtype, per_head, grid):
    sth = flat(tau=0.7, per_head=per_head)
    call = attention(grid, dtype=dtype)
    edited = sth.before(call)
    gamma = notes(edited)["gamma"]
    wanted = reference.gamma(measured(call, sth.estimator), 0.7, per_head)
    assert edited.q.dtype == dtype and gamma.dtype == torch.float32
    assert np.abs(double(gamma) - wanted).max() < TOLERANCE
    expected = call.q.clone()
    expected[:, :, grid.video] = (call.q[:, :, grid.video].float() * per_token(gamma, call.q)).to(dtype)
    assert torch.equal(edited.q, expected)


@pytest.mark.parametrize("rule", ("query temperature", "output gain"))
@every_estimator
def test_inputs_are_not_written(rule, estimator):
    sth = flat(tau=0.7, rule=rule, estimator=estimator)
    call = attention(GRIDS["tokens on both sides"])
    out = call.attend()
    kept = [x.clone() for x in (call.q, call.k, call.v, out)]
    sth.after(sth.before(call), out)
    assert all(torch.equal(x, y) for x, y in zip((call.q, call.k, call.v, out), kept, strict=True))


class Operations(TorchDispatchMode):
    """Records the names of all operations."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("rule", ("query temperature", "output gain"))
@per_call_and_per_head
@every_estimator
def test_nothing_waits_for_the_device(rule, per_head, estimator):
    """No value is read, and nothing is asked for whose size or error flag a GPU would have to report."""
    sth = flat(tau=0.7, rule=rule, per_head=per_head, estimator=estimator)
    call = attention(GRIDS["text after"])
    with Operations() as seen:
        edited = sth.before(call)
        sth.after(edited, edited.v)
    waits = {"_local_scalar_dense", "nonzero", "masked_select", "_linalg_check_errors", "_linalg_eigh", "equal", "is_nonzero"}
    assert "mul" in seen.names and not seen.names & waits


# The authors' code


@every_estimator
@every_grid
def test_output_gain_per_head_equals_the_reference(estimator, grid):
    sth = SpectralTransportHomeostasis(tau=1.5, rule="output gain", estimator=estimator, per_head=True)
    call = attention(grid)
    out = call.attend()
    gain = reference.output_gain(measured(call, estimator), tau_eff(sth, call), True)
    assert gain.min() >= 1 and np.ptp(gain) > 0.02
    expected = out.double()
    expected[:, :, grid.video] *= per_token(gain, out)
    assert_close(sth.after(sth.before(call), out).double(), expected, atol=1e-7, rtol=TOLERANCE)


@every_estimator
def test_output_gain_per_call_equals_the_reference(estimator):
    """One gain a call: the correction averaged over heads, as T is for the paper's rule."""
    sth = SpectralTransportHomeostasis(tau=1.5, rule="output gain", estimator=estimator)
    call = attention(GRIDS["tokens on both sides"])
    out = call.attend()
    gain = reference.output_gain(measured(call, estimator), tau_eff(sth, call), False)
    expected = out.double()
    expected[:, :, call.forward.grid.video] *= per_token(gain, out)
    assert_close(sth.after(call, out).double(), expected, atol=1e-7, rtol=TOLERANCE)


def test_output_gain_of_one_head_needs_no_average():
    sth = flat(tau=1.5, rule="output gain")
    call = attention(heads=1)
    out = call.attend()
    gain = reference.output_gain(measured(call, sth.estimator), 1.5, True)
    assert_close(sth.after(call, out).double(), out.double() * per_token(gain, out), atol=1e-7, rtol=TOLERANCE)


def test_output_gain_keeps_half_precision():
    sth = flat(tau=1.5, rule="output gain", per_head=True)
    call = attention(GRIDS["text after"], dtype=torch.bfloat16)
    out = call.attend()
    got = sth.after(call, out)
    gain = torch.from_numpy(reference.output_gain(measured(call, sth.estimator), 1.5, True))
    video = call.forward.grid.video
    assert got.dtype == torch.bfloat16
    assert_close(got[:, :, video].double(), out[:, :, video].double() * per_token(gain, out), atol=0, rtol=2**-8)
    assert torch.equal(got[:, :, video.stop :], out[:, :, video.stop :])


@pytest.mark.parametrize("score", (0.0, 60.0))
def test_output_gain_is_one_at_both_extremes(score):
    """Uniform: H_vN = 0; identity: mean diagonal 1 and H_vN = 1."""
    call = planted(score)
    out = call.attend()
    assert_close(flat(tau=2.0, rule="output gain").after(call, out), out, atol=1e-4, rtol=1e-4)


# Known tension


def tension_after(call, edited, estimator):
    return measured(call, estimator).tension, measured(edited, estimator).tension


@every_estimator
@pytest.mark.parametrize("score", (0.5, 0.8, 1.0))
def test_over_mixed_attention_is_sharpened(estimator, score):
    call = planted(score)
    edited = flat(tau=0.5, estimator=estimator).before(call)
    before, after = tension_after(call, edited, estimator)
    assert (before > 0.3).all() and notes(edited)["gamma"].min() > 1.1
    assert (np.abs(after) < np.abs(before) - 0.005).all()


@every_estimator
@pytest.mark.parametrize("score", (5.0, 6.0, 8.0))
def test_fragmented_attention_is_softened(estimator, score):
    call = planted(score)
    edited = flat(tau=0.5, estimator=estimator).before(call)
    before, after = tension_after(call, edited, estimator)
    assert (before < -0.3).all() and notes(edited)["gamma"].max() < 0.9
    assert (np.abs(after) < np.abs(before) - 0.005).all()


def test_a_soft_sink_is_sharpened_though_it_is_already_collapsed():
    """Rank 1: H_vN = 0, so T = H_row > 0; techniques.md names this as a limit of the method."""
    call = planted(2.0, own=False)
    t = measured(call, Estimator())
    assert (t.h_vn < 0.02).all() and (t.tension > 0.5).all()
    assert notes(flat(tau=0.5).before(call))["gamma"].min() > 1.2


def test_per_head_mends_heads_of_opposite_signs():
    one, other = planted(1.0, heads=1), planted(7.0, heads=1)
    call = one.edit(**{name: torch.cat([getattr(one, name), getattr(other, name)], 1) for name in "qkv"})
    sth = flat(tau=0.5, per_head=True)
    edited = sth.before(call)
    before, after = tension_after(call, edited, sth.estimator)
    assert before[0, 0] > 0.3 and before[0, 1] < -0.3
    assert (np.abs(after) < np.abs(before) - 0.005).all()
    assert torch.equal(torch.sign(notes(edited)["gamma"] - 1), torch.sign(torch.from_numpy(before)).float())


# Settings


@pytest.mark.parametrize(
    "name,settings",
    (
        ("tau", {"tau": float("nan")}),
        ("tau", {"tau": float("inf")}),
        ("tau", {"tau": -float("inf")}),
        ("rule", {"rule": "output"}),
        ("layer_weight", {"layer_weight": "deep"}),
        ("step_weight", {"step_weight": "early"}),
    ),
)
def test_bad_settings_are_named(name, settings):
    with pytest.raises(TemporalAttentionError, match=name) as raised:
        SpectralTransportHomeostasis(**settings)
    assert str(next(iter(settings.values()))) in raised.value.came and raised.value.do


def test_bad_estimators_are_named():
    with pytest.raises(TemporalAttentionError, match="estimator.*'same_position', 'pooled', 'exact'.*'dense'"):
        Estimator("dense")
    for rows in (0, -3):
        with pytest.raises(TemporalAttentionError, match=f"row.*{rows}"):
            Estimator("exact", rows)


def test_bad_windows_are_named():
    with pytest.raises(TemporalAttentionError, match="window"):
        SpectralTransportHomeostasis(window=Window(0.8, 0.2))


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        SpectralTransportHomeostasis().tau = 1.0
