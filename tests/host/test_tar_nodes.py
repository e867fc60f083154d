"""Temporal Attention Regularization in the host: presets, levels, kernels, stacking, what the trace and the picture show."""

from functools import partial

import comfy.ldm.modules.attention as host
import numpy as np
import pytest
import torch
from comfy.context_windows import IndexListContextHandler, get_matching_context_schedule, get_matching_fuse_method
from families import sample, tiny_networks
from interventions import Watcher
from node_calls import run

from pack.nodes.regularization_matrix import RegularizationMatrixNode
from pack.nodes.spectral_transport_homeostasis import SpectralTransportHomeostasisNode
from pack.nodes.temporal_attention_regularization import TemporalAttentionRegularizationNode
from pack.py.core.attention import Attention
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, Forward, Grid, Site, Step
from pack.py.core.similarity import FrameSimilarity
from pack.py.core.store import RUNS
from pack.py.host.attach import attach, attached
from pack.py.host.fold import Fold
from pack.py.host.kernel import HostCall
from pack.py.maths import low_rank
from pack.py.maths.band import gaussian
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.tar import TemporalAttentionRegularization

KERNELS = (host.attention_basic, host.attention_split, host.attention_sub_quad, host.attention_pytorch)
TAR = partial(run, TemporalAttentionRegularizationNode, similarity=None)


@pytest.fixture(scope="module")
def svd():
    """(tiny network, MODEL) with layers over time alone."""
    tiny = tiny_networks()["svd"]
    with torch.inference_mode():
        return tiny, tiny.load()


def technique_of(model):
    (technique,) = attached(model)
    return technique


# Presets


def test_auto_is_wide_and_weak_on_a_dit(model):
    patched, said = TAR(model=model)
    assert technique_of(patched) == TemporalAttentionRegularization(strength=0.1, sigma=0.5)
    assert said == "strength 0.1 of the row max, sigma 0.5 of the frames"


def test_auto_is_the_paper_at_the_widest_level_on_temporal_layers(svd):
    patched, said = TAR(model=svd[1])
    paper = TemporalAttentionRegularization(strength=1.0, sigma=1.0, sigma_unit="latent frames", levels=frozenset({1}))
    assert technique_of(patched) == paper and said == "strength 1 of the row max, sigma 1 latent frames, D1"


def test_strength_multiplies_the_preset_and_what_is_given_overrides_it(model):
    similarity = FrameSimilarity(torch.eye(5), "hand")
    patched, said = TAR(
        model=model, strength=-0.5, sigma=3.0, sigma_unit="latent frames", scale="row max - row mean", similarity=similarity,
        start_percent=0.1, end_percent=0.7, blocks="1-2", branch="uncond only",
    )  # fmt: skip
    tar = technique_of(patched)
    assert (tar.strength, tar.sigma, tar.sigma_unit, tar.scale) == (-0.05, 3.0, "latent frames", "row max - row mean")
    assert (tar.window.start, tar.window.end, tar.where.blocks, tar.branch) == (0.1, 0.7, {1, 2}, Branch.UNCOND)
    assert tar.similarity is similarity and said == "strength -0.05 of the row max - row mean, similarity by hand"


def test_levels_that_a_dit_does_not_have_are_refused(model):
    with pytest.raises(TemporalAttentionError, match="preset D8.*Wan, whose blocks all have one resolution"):
        TAR(model=model, preset="D8")
    patched, _ = TAR(model=model, preset="D1 (paper)")
    assert technique_of(patched).sigma_unit == "latent frames"


# Sampling


def test_it_acts_at_defaults_and_at_0_it_does_not(tiny, model):
    plain = sample(tiny, model)
    assert not torch.equal(sample(tiny, TAR(model=model)[0]), plain)
    assert torch.equal(sample(tiny, TAR(model=model, strength=0.0)[0]), plain)


@pytest.mark.parametrize("name", ["wan_t2v", "svd"])
def test_an_endless_sigma_changes_nothing_beyond_rounding(name):
    tiny = tiny_networks()[name]
    model = tiny.load()
    plain, patched = sample(tiny, model), attach(model, TemporalAttentionRegularization(strength=1.0, sigma=1e9))
    assert (sample(tiny, patched) - plain).abs().max() <= 1e-5 * plain.abs().max()


def test_levels_choose_the_layers_of_a_unet(svd):
    tiny, model = svd

    def seen(levels):
        tar = TemporalAttentionRegularization(strength=1.0, levels=levels)
        trace = RUNS.find(sample(tiny, attach(model, tar, FrameAttentionRecorder()), steps=1), FrameAttentionRecorder()).trace
        return {r.site.block for r in trace.records if "after.frames" in r.values}, {r.site.block for r in trace.records}

    every, blocks = seen(None)
    assert every == blocks
    parts = [seen(frozenset({level}))[0] for level in (1, 2, 4, 8)]
    assert parts[0] and parts[0] < every and set().union(*parts) == every
    assert sum(map(len, parts)) == len(every), "each layer has one level"


def test_two_bands_and_sth_stack(tiny, model):
    once, _ = TAR(model=model, strength=2.0)
    twice, _ = TAR(model=once, strength=-1.0, preset="D1 (paper)")
    with_sth = run(SpectralTransportHomeostasisNode, model=twice, tau=1.0)[0]
    results = [sample(tiny, m) for m in (model, once, twice, with_sth)]
    assert all(not torch.equal(a, b) for i, a in enumerate(results) for b in results[:i])
    assert len(attached(with_sth)) == 3 and len(attached(once)) == 1


def test_context_windows_see_the_distances_of_their_own_frames(tiny, model):
    windowed = model.clone()
    windowed.model_options["context_handler"] = IndexListContextHandler(
        context_schedule=get_matching_context_schedule("standard_static"),
        fuse_method=get_matching_fuse_method("pyramid"),
        context_length=4,
        context_overlap=2,
        dim=2,
    )
    calls = []
    latent = (*tiny.latent[:2], 8, *tiny.latent[3:])
    matrix = torch.from_numpy(gaussian(range(8), 2.0)).float()
    tar = TemporalAttentionRegularization(similarity=FrameSimilarity(matrix, "hand"))
    sample(tiny, attach(windowed, tar, Watcher(log=calls)), steps=1, cfg=1.0, latent=latent)
    windows = {forward.frames: forward.whole for _, forward, *_ in calls}
    assert len(windows) > 1 and set(windows.values()) == {8}
    for frames in windows:
        assert np.array_equal(tar.matrix(len(frames), frames, 8), matrix.double().numpy()[np.ix_(frames, frames)])


def test_a_trace_after_it_shows_the_band(tiny, model):
    patched = attach(TAR(model=model, strength=2.0, sigma=0.2)[0], FrameAttentionRecorder())
    trace = RUNS.find(sample(tiny, patched, steps=1), FrameAttentionRecorder()).trace
    before, after = (np.mean([r.values[name] for r in trace.records], 0) for name in ("frames", "after.frames"))
    assert np.trace(after) > np.trace(before) and after[0, -1] < before[0, -1]
    assert "band_height" in trace.records[0].values


# Kernels of the host


def biased_call(kernel, kind, heads_split, output_split, mask):
    """(an attention call as a model makes it with a low-rank bias on its second row only, scores' bias [B, 1, L, L])."""
    generator = torch.Generator().manual_seed(0)
    grid, heads, width = Grid(3, 2, 4, tokens=24), 2, 8
    fold = Fold.of(kind, grid)
    q, k, v = (fold.close(torch.randn(2, heads, 24, width, generator=generator)) for _ in range(3))
    given = [x if heads_split else x.transpose(1, 2).flatten(2) for x in (q, k, v)]
    options = {"skip_reshape": heads_split, "skip_output_reshape": output_split}
    host_call = HostCall(kernel, kernel, *given, heads, mask, options, fold)
    tensors = host_call.given()
    forward = Forward(Step(0, 1, 1.0, 0.0, 1.0), grid, (Branch.UNCOND, Branch.COND), (0, 0))
    site = Site(0, 1, kind)
    call = Attention(site, forward, *tensors, host_call.scale, lambda edited: host_call.run(edited, tensors), (0, 1))
    part = call.edit(rows=(1,))
    queries, keys = torch.randn(1, heads, 24, 3, generator=generator), torch.randn(1, 1, 24, 3, generator=generator)
    return call.edit(low_rank=part.biased(queries, keys).low_rank), queries @ keys.mT


def dense(call, kind, bias):
    """The same with a dense softmax in float64; over frames alone each position sees only itself."""
    scores = (call.q.double() @ call.k.double().mT) * call.scale
    scores[1] += bias[0].double()
    if kind == "temporal":
        position = torch.arange(24) % 8
        scores = scores.masked_fill(position[:, None] != position, -torch.inf)
    if call.bias is not None:
        scores = scores + call.bias.double()
    return torch.softmax(scores, -1) @ call.v.double()


@pytest.fixture(params=[0, 24], ids=["columns", "masks"])
def few(request, monkeypatch):
    """Few enough keys for masks, or not."""
    monkeypatch.setattr(low_rank, "FEW", request.param)
    return bool(request.param)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.__name__)
@pytest.mark.parametrize("kind", ["self", "temporal"])
@pytest.mark.parametrize("heads_split,output_split", [(False, False), (True, False), (True, True)])
def test_every_kernel_of_the_host_computes_the_bias(kernel, kind, heads_split, output_split):
    call, bias = biased_call(kernel, kind, heads_split, output_split, None)
    torch.testing.assert_close(call.attend().double(), dense(call, kind, bias), atol=2e-6, rtol=1e-5)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.__name__)
def test_it_composes_with_a_mask_of_the_model(kernel):
    mask = torch.randn(2, 1, 24, 24)
    call, bias = biased_call(kernel, "self", True, False, mask)
    torch.testing.assert_close(call.attend().double(), dense(call, "self", bias), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["self", "temporal"])
def test_rows_without_a_bias_reach_the_kernel_as_they_are(kind, few):
    calls = []

    def kernel(q, k, v, heads, **options):
        calls.append((q, options))
        return host.attention_pytorch(q, k, v, heads, **options)

    call, _ = biased_call(kernel, kind, False, False, None)
    out = call.attend()
    (plain, options), (_, changed) = calls[0], calls[-1]
    assert plain.shape[-1] == 16 and options["mask"] is None and "low_precision_attention" not in options
    if few:
        assert changed["mask"] is not None and "scale" not in changed
    else:
        assert changed["low_precision_attention"] is False, "SageAttention would round the bias to 8 bits"
    assert torch.equal(out[0], call.edit(low_rank=()).attend()[0])


# The picture


def test_the_picture_shows_every_band_on_the_model(model):
    patched, _ = TAR(model=TAR(model=model)[0], strength=-1.0)
    one, two = (RegularizationMatrixNode.execute(m, 9) for m in (TAR(model=model)[0], patched))
    assert one.args[0].shape[0] == 1 and one.args[0].shape[2:] == (1024, 3) and one.ui
    assert one.args[0].shape != two.args[0].shape


def test_without_a_band_there_is_nothing_to_draw(model):
    with pytest.raises(TemporalAttentionError, match="model with Temporal Attention Regularization.*Connect the model output"):
        RegularizationMatrixNode.execute(model, 9)
