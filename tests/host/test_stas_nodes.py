"""STAS, its detector and its probes as nodes: on a network with a planted massive channel, on published shapes, on bad input."""

from dataclasses import dataclass, replace
from pathlib import Path

import comfy.ldm.cogvideo.model as cogvideo
import comfy.ldm.wan.model as wan_model
import comfy.ops
import folder_paths
import pytest
import reference_activations as reference
import torch
from comfy.model_patcher import ModelPatcher
from families import native, sample, tiny_networks
from networks import wan
from node_calls import run

from pack.nodes.activation_probe import ActivationProbeNode
from pack.nodes.load_massive_profile import LoadMassiveProfileNode
from pack.nodes.massive_activation_chart import PICTURES, MassiveActivationChartNode
from pack.nodes.massive_activation_report import MassiveActivationReportNode
from pack.nodes.massive_activations import MassiveActivationsNode
from pack.nodes.save_massive_profile import SaveMassiveProfileNode
from pack.nodes.structured_activation_steering import StructuredActivationSteeringNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch
from pack.py.core.intervention import Observer
from pack.py.host.attach import attach
from pack.py.host.families import blocks_of
from pack.py.host.hidden_size import hidden_size
from pack.py.records.findings import massive_channels, weak_channels

PLANTED, HEIGHT = 77, 400.0
BLOCK = 1  # the guess for a network of 3 blocks
PERCENT = 8.0


@dataclass(frozen=True, kw_only=True)
class BlockWatcher(Observer):
    """Keeps (block, step, forward, x) of every block output, as all interventions left it."""

    log: list

    def __hash__(self):
        return id(self)

    def block_seen(self, call):
        self.log.append((call.site.block, call.forward.step.index, call.forward, call.x.clone()))
        return []


@pytest.fixture(scope="module")
def tiny():
    """A Wan network in whose stream one channel is large at every token."""
    bias = torch.zeros(wan.WIDTH)
    bias[PLANTED] = HEIGHT
    return replace(tiny_networks()["wan_t2v"], load=lambda: native(wan.network(), wan.METADATA, {"patch_embedding.bias": bias}))


@pytest.fixture
def watched(tiny, model):
    """(trace, latent, profile, report) of a run of the planted network, two samples with guidance."""
    patched, trace = run(MassiveActivationsNode, model=model)
    samples = {"samples": sample(tiny, patched, batch=2)}
    report, profile = run(MassiveActivationReportNode, trace=trace, samples=samples)
    return trace, samples, profile, report


@pytest.fixture(scope="module")
def plain_profile(model):
    """The profile of the same network without a massive channel."""
    usual = tiny_networks()["wan_t2v"]
    with torch.inference_mode():
        patched, trace = run(MassiveActivationsNode, model=usual.load())
        return run(MassiveActivationReportNode, trace=trace, samples={"samples": sample(usual, patched)})[1]


def technique_on(model):
    (technique,) = model.model_options["transformer_options"]["temporal_attention"]
    return technique


# The planted channel


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


def test_runs_are_averaged_into_an_earlier_profile(tiny, model, watched):
    trace, samples, profile, _ = watched
    text, both = run(MassiveActivationReportNode, trace=trace, samples=samples, earlier=profile)
    assert both.rows == 2 * profile.rows and f"averaged over {both.rows} rows" in text
    torch.testing.assert_close(torch.tensor(both.peaks[0]), torch.tensor(profile.peaks[0]))


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


# Files


@pytest.fixture
def output(monkeypatch, tmp_path):
    """ComfyUI's output folder."""
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path


def test_a_saved_profile_is_loaded_by_name_and_steers(output, tiny, model, watched):
    (file,) = run(SaveMassiveProfileNode, profile=watched[2], name="wan_1.3b tiny")
    assert file == str(output / "massive_profiles" / "wan_1.3b tiny.safetensors") and Path(file).is_file()
    loaded, report = run(LoadMassiveProfileNode, name="wan_1.3b tiny")
    assert f"channel {PLANTED}" in report
    direct, _ = run(StructuredActivationSteeringNode, model=model, profile=watched[2])
    from_file, _ = run(StructuredActivationSteeringNode, model=model, profile=loaded)
    assert torch.equal(sample(tiny, from_file), sample(tiny, direct))


def test_a_changed_file_is_read_again(output, watched):
    assert LoadMassiveProfileNode.fingerprint_inputs("mine") == 0
    run(SaveMassiveProfileNode, profile=watched[2], name="mine")
    assert LoadMassiveProfileNode.fingerprint_inputs("mine") > 0


NAMES = ("", " ", "..", "../x", "a/b", "a\\b", "/etc/passwd", "C:x", "x\0", ".hidden", "trailing.", "a" * 101)


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_that_are_no_plain_file_names_are_refused(output, watched, name):
    for node, given in ((SaveMassiveProfileNode, {"profile": watched[2]}), (LoadMassiveProfileNode, {})):
        with pytest.raises(TemporalAttentionError, match="without a folder"):
            run(node, name=name, **given)
    assert not list(output.iterdir())


def test_a_name_that_is_not_there_lists_those_that_are(output, watched):
    with pytest.raises(TemporalAttentionError, match=r"none yet.*'mine'"):
        run(LoadMassiveProfileNode, name="mine")
    run(SaveMassiveProfileNode, profile=watched[2], name="other")
    with pytest.raises(TemporalAttentionError, match=r"\(other\).*'mine'"):
        run(LoadMassiveProfileNode, name="mine")


def test_a_damaged_file_is_refused(output):
    (output / "massive_profiles").mkdir()
    (output / "massive_profiles" / "mine.safetensors").write_bytes(b"PK\3\4 something else")
    with pytest.raises(TemporalAttentionError, match="mine.safetensors, which is damaged"):
        run(LoadMassiveProfileNode, name="mine")


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


def test_a_trace_without_a_run_says_what_to_connect(model):
    _, trace = run(MassiveActivationsNode, model=model, boundary_percent=3.5)
    for node in (MassiveActivationReportNode, MassiveActivationChartNode):
        with pytest.raises(TemporalAttentionError, match="Connect the MODEL of the same Massive Activations node"):
            run(node, trace=trace, samples={"samples": torch.zeros(1)})


# Pictures


@pytest.mark.parametrize("picture", PICTURES)
def test_charts(watched, temporary_folder, picture):
    trace, samples, *_ = watched
    (image,) = run(MassiveActivationChartNode, trace=trace, samples=samples, picture=picture)
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and list(temporary_folder.iterdir())


def test_a_chart_of_what_was_not_kept_says_what_was(watched):
    trace, samples, *_ = watched
    with pytest.raises(TemporalAttentionError, match="recorded block.*block 9"):
        run(MassiveActivationChartNode, trace=trace, samples=samples, block=9)
    with pytest.raises(TemporalAttentionError, match=rf"strongest channels of block 1.*{PLANTED}, .*channel 500"):
        run(MassiveActivationChartNode, trace=trace, samples=samples, block=1, channel=500)
    with pytest.raises(TemporalAttentionError, match="steps 0-2"):
        run(MassiveActivationChartNode, trace=trace, samples=samples, steps="7")


def test_the_default_window_ends_where_the_papers_does():
    inputs = {i.id: i for i in StructuredActivationSteeringNode.define_schema().inputs}
    assert inputs["end_percent"].default == 0.39 and inputs["start_percent"].default == 0.0
