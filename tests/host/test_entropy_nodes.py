"""Entropy Profile and Attention Perturbation in the host, on tiny networks."""

import pytest
import sweeps
import torch
from families import sample
from node_calls import run
from reference_edits import edited_attention
from sweeps import NETWORKS, THREE

from pack.nodes._inputs import numbers, traced_run
from pack.nodes.attention_perturbation import AttentionPerturbationNode
from pack.nodes.entropy_profile import EntropyProfileNode
from pack.nodes.frame_attention import FrameAttentionNode
from pack.nodes.tension_heatmap import TensionHeatmapNode
from pack.nodes.trace_attention import TraceAttentionNode
from pack.nodes.trace_info import TraceInfoNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.records.entropy_profile import profiles_of

subject = sweeps.subject  # a fixture


# Entropies of a run


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_attention_of_every_family_is_profiled(name):
    tiny = NETWORKS[name]
    model = tiny.load()
    watched, trace = run(TraceAttentionNode, model=model)
    bare, plainly = run(TraceAttentionNode, model=model, entropy_rows=0)
    latent, plain = ({"samples": sample(tiny, m, steps=2, packed=False)} for m in (watched, bare))
    assert all(map(torch.equal, *(x["samples"].unbind() for x in (latent, plain))))
    found, expected = traced_run(trace, latent).trace, traced_run(plainly, plain).trace
    assert [line for line in found.report if "passed" in line] == [line for line in expected.report if "passed" in line]
    assert len(found.holding("h_row").records) == len(expected.records)
    for profile in profiles_of(found).values():
        blocks = set(range(found.blocks))  # of AnimateDiff's only some have spatial attention before them
        assert set(profile.entropy) <= blocks if profile.name.startswith("spatial") else set(profile.entropy) == blocks
        assert 0 < profile.lowest + 1 and 1 < profile.mean <= 100.001
        assert ("cross" in profile.name) != bool(profile.energy)


def test_the_profile_node(subject):
    tiny, model = subject
    watched, trace = run(TraceAttentionNode, model=model)
    samples = {"samples": sample(tiny, watched)}
    bars, over_steps, report, highest, upper, lower = run(EntropyProfileNode, trace=trace, samples=samples)
    assert bars.shape[2:] == over_steps.shape[2:] == (1024, 3)
    blocks = traced_run(trace, samples).trace.blocks
    assert highest in numbers(upper, "") and sorted(numbers(upper, "") | (numbers(lower, "") or set())) == list(range(blocks))
    assert f"higher half: {upper}" in report
    kinds = {"svd": ("temporal attention", "spatial attention"), "wan_t2v": ("self-attention", "cross-attention to text")}
    for kind in kinds.get(next(n for n in THREE if NETWORKS[n] is tiny), ("joint attention",)):
        assert f"{kind}: mean entropy" in report
    with pytest.raises(TemporalAttentionError, match="choose steps that were recorded"):
        run(EntropyProfileNode, trace=trace, samples=samples, steps="50")


def test_pictures_of_frame_attention_are_the_same_with_and_without_entropies(subject):
    tiny, model = subject
    pictures = []
    for rows in (0, 64):
        watched, trace = run(TraceAttentionNode, model=model, entropy_rows=rows)
        given = {"trace": trace, "samples": {"samples": sample(tiny, watched)}}
        pictures.append([run(node, **given)[0] for node in (TensionHeatmapNode, FrameAttentionNode)])
        assert "largest |T|" in run(TraceInfoNode, **given)[0]
    assert all(map(torch.equal, *pictures))


def test_without_entropies_the_profile_says_what_to_set(tiny, model):
    watched, trace = run(TraceAttentionNode, model=model, entropy_rows=0)
    with pytest.raises(TemporalAttentionError, match="Set entropy_rows of Trace Attention above 0"):
        run(EntropyProfileNode, trace=trace, samples={"samples": sample(tiny, watched)})


# Perturbation


@pytest.mark.parametrize("name", ["wan_t2v", "svd"])
def test_identity_in_all_blocks_equals_the_network_edited_by_hand(name):
    tiny = NETWORKS[name]
    model = tiny.load()
    (patched,) = run(AttentionPerturbationNode, model=model, blocks="")
    ours = sample(tiny, patched, steps=1)
    with edited_attention(model, "IdentityAttention"):
        by_hand = sample(tiny, model, steps=1)
    assert (ours - by_hand).abs().max() <= 1e-5 * by_hand.abs().max() and not torch.equal(ours, sample(tiny, model, steps=1))


def test_strength_0_is_bit_identical_and_settings_reach_the_technique(tiny, model):
    (off,) = run(AttentionPerturbationNode, model=model, strength=0.0)
    assert torch.equal(sample(tiny, off), sample(tiny, model))
    (patched,) = run(
        AttentionPerturbationNode, model=model, replace_by="mix", identity_share=0.3, strength=0.7, blocks="0, 2",
        attention="self or temporal", start_percent=0.1, end_percent=0.6, branch="uncond only",
    )  # fmt: skip
    (technique,) = patched.model_options["transformer_options"]["temporal_attention"]
    assert (technique.alpha, technique.strength, technique.where.blocks) == (0.3, 0.7, {0, 2})
    assert (technique.window.start, technique.window.end, technique.branch.value) == (0.1, 0.6, "uncond")


@pytest.mark.parametrize("name,attention", [("svd", "spatial"), ("wan_t2v", "cross")])
def test_other_attentions_are_reached(name, attention):
    tiny = NETWORKS[name]
    model = tiny.load()
    (patched,) = run(AttentionPerturbationNode, model=model, attention=attention, replace_by="uniform")
    assert not torch.equal(sample(tiny, patched), sample(tiny, model))


@pytest.mark.parametrize("given,said", [
    ({"attention": "spatial"}, "spatial attention, but got Wan, which has cross, self attention"),
    ({"attention": "cross"}, "no identity"), ({"blocks": "7"}, "block 7"), ({"blocks": "x"}, "'x'"),
    ({"strength": 2.0}, "strength, but got 2"), ({"replace_by": "mix", "identity_share": float("nan")}, "alpha, but got nan"),
])  # fmt: skip
def test_bad_input_names_the_mistake(model, given, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(AttentionPerturbationNode, model=model, **given)
