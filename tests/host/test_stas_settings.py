"""Settings of STAS and its probes as nodes: those of published models, defaults, and what they say to bad input."""

import comfy.ldm.cogvideo.model as cogvideo
import comfy.ldm.wan.model as wan_model
import comfy.ops
import planted_channel
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from families import sample, tiny_networks
from node_calls import run
from planted_channel import BLOCK, BlockWatcher, technique_on

from pack.nodes.activation_probe import ActivationProbeNode
from pack.nodes.structured_activation_steering import StructuredActivationSteeringNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch
from pack.py.host.attach import attach
from pack.py.host.families import blocks_of
from pack.py.host.hidden_size import hidden_size

tiny, watched, plain_profile = planted_channel.tiny, planted_channel.watched, planted_channel.plain_profile  # fixtures


def test_settings_reach_the_technique(model):
    patched, _ = run(
        StructuredActivationSteeringNode, model=model, channels="3, 5-6", blocks="0, 2", alpha=1.5, boundary_percent=0.0,
        rule="scaling", omega=0.25, first_frame=False, boundaries=True, strength=0.5, start_percent=0.1, end_percent=0.7,
        branch="cond only",
    )  # fmt: skip
    technique = technique_on(patched)
    assert (technique.channels, technique.where.blocks) == ((3, 5, 6), {0, 2})
    assert (technique.alpha, technique.percent, technique.rule, technique.omega) == (1.5, 0.0, "scaling", 0.25)
    assert (technique.first_frame, technique.boundaries, technique.strength) == (False, True, 0.5)
    assert (technique.window.start, technique.window.end, technique.branch) == (0.1, 0.7, Branch.COND)


def test_the_default_window_ends_where_the_papers_does():
    inputs = {i.id: i for i in StructuredActivationSteeringNode.define_schema().inputs}
    assert inputs["end_percent"].default == 0.39 and inputs["start_percent"].default == 0.0


# The shape of the network


def shape_only(network):
    """A MODEL around a network without weights."""
    inner = torch.nn.Module()
    inner.diffusion_model = network
    return ModelPatcher(inner, torch.device("cpu"), torch.device("cpu"))


def wan_of(dim, ffn, heads, layers):
    options = {"device": "meta", "dtype": torch.bfloat16, "operations": comfy.ops.disable_weight_init}
    return wan_model.WanModel(dim=dim, ffn_dim=ffn, num_heads=heads, num_layers=layers, **options)


def cogvideox_5b():
    return cogvideo.CogVideoXTransformer3DModel(
        num_attention_heads=48, attention_head_dim=64, num_layers=42, text_embed_dim=4096, time_embed_dim=512,
        use_rotary_positional_embeddings=True, device="meta", dtype=torch.bfloat16, operations=comfy.ops.disable_weight_init,
    )  # fmt: skip


PUBLISHED = {
    "Wan2.1-T2V-1.3B": (lambda: wan_of(1536, 8960, 12, 30), 1188, 9, 2.5, 8),
    "Wan2.2-TI2V-5B": (lambda: wan_of(3072, 14336, 24, 30), 1938, 9, 2.0, 12),
    "CogVideoX-5B": (cogvideox_5b, 1982, 8, 1.2, 8),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_get_their_published_settings(name):
    load, channel, block, alpha, percent = PUBLISHED[name]
    patched, said = run(StructuredActivationSteeringNode, model=shape_only(load()))
    technique = technique_on(patched)
    assert (technique.channels, technique.where.blocks) == ((channel,), {block})
    assert (technique.alpha, technique.percent, technique.rule, technique.strength) == (alpha, percent, "max", 1.0)
    assert name in said and "guess" not in said
    overridden, _ = run(StructuredActivationSteeringNode, model=shape_only(load()), channels="4", blocks="2", alpha=3.0)
    technique = technique_on(overridden)
    assert (technique.channels, technique.where.blocks, technique.alpha, technique.percent) == ((4,), {2}, 3.0, percent)


@pytest.mark.parametrize("name", tiny_networks(), ids=str)
def test_the_hidden_size_is_that_of_the_block_outputs(name):
    other, log = tiny_networks()[name], []
    model = other.load()
    sample(other, attach(model, BlockWatcher(log=log)), steps=1)
    seen = {block: x.shape[-1] for block, _, _, x in log}
    assert {b.site.block: hidden_size(b) for b in blocks_of(model)} == seen


def test_a_guessed_block_is_called_one(model):
    _, said = run(StructuredActivationSteeringNode, model=model, channels="5")
    assert said.startswith(f"channel 5 (as given) of block {BLOCK} (a guess: 0.3 of the depth of 3 blocks)")
    assert "guess" not in run(StructuredActivationSteeringNode, model=model, channels="5", blocks="0")[1]


# Bad input


@pytest.mark.parametrize(
    "given,said",
    [
        ({"channels": "128"}, "0 to 127 .the hidden size there is 128.*channel 128"),
        ({"channels": "5, 900, 1000"}, "channel 900, 1000"),
        ({"channels": "x"}, "channel numbers.*'x'"),
        ({"channels": "5", "blocks": "3"}, "0 to 2 .*block 3"),
        ({"channels": "5", "blocks": "2-1"}, "block numbers.*'2-1'"),
        ({"channels": "5", "start_percent": 0.8, "end_percent": 0.39}, "start 0.8, end 0.39"),
    ],
)
@pytest.mark.parametrize("node", [StructuredActivationSteeringNode, ActivationProbeNode], ids=lambda n: n.__name__)
def test_bad_input_names_the_mistake(model, node, given, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(node, model=model, **given)


@pytest.mark.parametrize("given,said", [
    ({"boundary_percent": 51.0}, "0 to 50.*51"),
    ({"boundary_percent": float("nan")}, "0 to 50.*nan"), ({"alpha": float("nan")}, "alpha.*nan"),
    ({"strength": float("inf")}, "strength.*inf"), ({"omega": float("nan")}, "omega.*nan"),
])  # fmt: skip
def test_bad_settings_are_named(model, given, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(StructuredActivationSteeringNode, model=model, channels="5", **given)


@pytest.mark.parametrize("node", [StructuredActivationSteeringNode, ActivationProbeNode], ids=lambda n: n.__name__)
def test_a_model_without_massive_activations_is_told_so_and_not_steered(model, plain_profile, node):
    with pytest.raises(TemporalAttentionError, match=r"no peak over 50 x.*best candidates are channel \d+.*Nothing is"):
        run(node, model=model, profile=plain_profile)
    patched, said = run(node, model=model, profile=plain_profile, channels="5")
    assert technique_on(patched).channels == (5,) and "as given" in said


@pytest.mark.parametrize("node", [StructuredActivationSteeringNode, ActivationProbeNode], ids=lambda n: n.__name__)
def test_an_unknown_model_needs_channels_or_a_profile(model, node):
    with pytest.raises(TemporalAttentionError, match="Wan of 3 blocks and hidden size 128.*never published.*Massive Activations"):
        run(node, model=model)


def test_a_profile_of_another_model_is_refused(watched):
    another = tiny_networks()["ltxv"].load()
    with pytest.raises(
        TemporalAttentionError, match="this model .LTX, 3 blocks, hidden size 64.*that of a different one .Wan, 3 blocks"
    ):
        run(StructuredActivationSteeringNode, model=another, profile=watched[2])
