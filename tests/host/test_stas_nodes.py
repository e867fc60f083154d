"""STAS, its detector and its probes as nodes, on a network with a planted massive channel."""

import planted_channel
import pytest
import reference_activations as reference
import torch
from families import sample
from networks import wan
from node_calls import run
from planted_channel import BLOCK, HEIGHT, PLANTED, BlockWatcher

from pack.nodes.activation_probe import ActivationProbeNode
from pack.nodes.massive_activations import MassiveActivationsNode
from pack.nodes.structured_activation_steering import StructuredActivationSteeringNode
from pack.py.core.events import Branch
from pack.py.host.attach import attach
from pack.py.records.findings import massive_channels, weak_channels

PERCENT = 8.0
tiny, watched, plain_profile = planted_channel.tiny, planted_channel.watched, planted_channel.plain_profile  # fixtures


def test_the_detector_finds_the_planted_channel_and_nothing_else(watched):
    _, _, profile, report = watched
    (finding,) = massive_channels(profile)
    assert (finding.channel, finding.blocks) == (PLANTED, (0, 1, 2)) and not weak_channels(profile)
    assert finding.peak == pytest.approx(HEIGHT, rel=0.1) and finding.to_mean > 50
    (row,) = report.split("\n\n")[1].splitlines()[1:]
    assert row.split()[:2] == [str(PLANTED), "massive"]
    assert f"To steer: block {BLOCK}, channel {PLANTED}" in report


def test_the_detector_finds_nothing_where_nothing_is_planted(plain_profile):
    assert not massive_channels(plain_profile) and plain_profile.to_steer(BLOCK) is None


def test_the_detector_changes_nothing(tiny, model):
    patched, _ = run(MassiveActivationsNode, model=model)
    assert torch.equal(sample(tiny, patched), sample(tiny, model))


def block_outputs(tiny, model):
    """{block: (forward, x)} of the first step."""
    log = []
    sample(tiny, attach(model, BlockWatcher(log=log)), steps=2, batch=2)
    return {block: (forward, x) for block, step, forward, x in log if step == 0}


@pytest.mark.parametrize("options", [{}, {"strength": 0.5, "alpha": 1.2, "boundary_percent": 20.0}, {"rule": "scaling"}])
def test_steered_values_equal_the_plain_reference(tiny, model, watched, options):
    steered, said = run(StructuredActivationSteeringNode, model=model, profile=watched[2], **options)
    before, after = block_outputs(tiny, model), block_outputs(tiny, steered)
    forward, x = before[BLOCK]
    assert len(x) == 4 and set(forward.branches) == set(Branch) and forward.grid.frames == 3
    wanted = reference.steered(
        x,
        forward.grid.spatial,
        (PLANTED,),
        alpha=options.get("alpha", 2.0),
        percent=options.get("boundary_percent", PERCENT),
        omega=1.5 if options.get("rule") == "scaling" else None,
        strength=options.get("strength", 1.0),
    )
    torch.testing.assert_close(after[BLOCK][1].double(), torch.from_numpy(wanted), atol=1e-4, rtol=1e-6)
    others = torch.arange(wan.WIDTH) != PLANTED
    assert torch.equal(after[BLOCK][1][..., others], x[..., others]) and torch.equal(after[0][1], before[0][1])
    assert not torch.equal(after[2][1], before[2][1])
    assert f"channel {PLANTED} (massive in the profile at block {BLOCK}) of block {BLOCK}" in said


def test_steering_acts_in_the_first_steps_only(tiny, model, watched):
    """And on a run of 4 steps on at least one."""
    steered, _ = run(StructuredActivationSteeringNode, model=model, profile=watched[2])
    log = []
    sample(tiny, attach(steered, BlockWatcher(log=log)), steps=4, cfg=1.0)
    peaks = [x[..., PLANTED].abs().amax() > 1.5 * HEIGHT for block, _, _, x in log if block == BLOCK]
    assert peaks == [True, True, False, False]


def test_strength_zero_and_amplifying_by_one_are_bit_identical(tiny, model, watched):
    plain = sample(tiny, model)
    off, _ = run(StructuredActivationSteeringNode, model=model, profile=watched[2], strength=0.0)
    neutral, _ = run(ActivationProbeNode, model=model, profile=watched[2], action="amplify", factor=1.0)
    assert torch.equal(sample(tiny, off), plain) and torch.equal(sample(tiny, neutral), plain)


@pytest.mark.parametrize("action,tokens", [("zero", "all tokens"), ("amplify", "first frame"), ("set to maximum", "first frame")])
def test_the_probe_changes_what_it_says(tiny, model, watched, action, tokens):
    probed, said = run(ActivationProbeNode, model=model, profile=watched[2], action=action, tokens=tokens)
    forward, x = block_outputs(tiny, model)[BLOCK]
    got = block_outputs(tiny, probed)[BLOCK][1]
    span = forward.grid.spatial * (forward.grid.frames if tokens == "all tokens" else 1)
    omega = {"zero": -1.0, "amplify": 1.5, "set to maximum": None}[action]
    wanted = torch.from_numpy(reference.steered(x, span, (PLANTED,), boundaries=False, omega=omega))
    torch.testing.assert_close(got.double(), wanted, atol=1e-4, rtol=1e-6)
    assert action in said and tokens in said
