"""The host's caches, which answer network calls without running a block."""

import pytest
import torch
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from families import conditioning, sample
from interventions import QueryGain
from tempo import longer, words

from pack.nodes._sweep import Plan, swept
from pack.py.core.intervention import Where, Window
from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.host.families import network_of
from pack.py.host.trials import Prompts, Steps, Trials
from pack.py.techniques.entropy_guidance import EntropyGuidance
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.sth import SpectralTransportHomeostasis
from pack.py.techniques.tempo_control import TempoControl

STH = SpectralTransportHomeostasis(tau=2.0, layer_weight="flat")
STEPS = 20


def cached(model, threshold, node=EasyCacheNode, start=0.15):
    """The MODEL with a cache; a higher threshold skips more steps."""
    return node.execute(model, threshold, start, 0.95, False).args[0]


@pytest.fixture
def idle_block(model):
    """The MODEL with a block in which it makes no difference what attends to what."""
    out = network_of(model).blocks[1].self_attn.o
    kept = [parameter.clone() for parameter in (out.weight, out.bias)]
    out.weight.zero_(), out.bias.zero_()
    yield model
    out.weight.copy_(kept[0]), out.bias.copy_(kept[1])


def calls_by_step(tiny, model):
    """How many blocks ran at each step."""
    recorder = FrameAttentionRecorder()
    trace = RUNS.find(sample(tiny, attach(model, recorder), steps=STEPS), recorder).trace
    return [sum(record.step.index == step for record in trace.records) for step in range(STEPS)]


@pytest.mark.parametrize("threshold", [0.5, 3.0])
@pytest.mark.parametrize("start", [0.2, 0.4, 0.6])
def test_a_window_whose_first_step_is_skipped_is_no_error(tiny, model, threshold, start):
    latent = sample(tiny, attach(cached(model, threshold), QueryGain(window=Window(start, 1.0))), steps=STEPS)
    assert torch.isfinite(latent).all()
    assert 0 in calls_by_step(tiny, cached(model, threshold)), "some steps are skipped"


def test_a_cache_that_answers_all_of_a_window_is_named(tiny, model):
    skipped = calls_by_step(tiny, cached(model, 3.0)).index(0)
    share = (skipped + 0.5) / STEPS
    schedule = {"window": Window(share - 0.02, share + 0.02)}
    recorder = FrameAttentionRecorder()
    latent = sample(tiny, attach(cached(model, 3.0), QueryGain(**schedule), recorder), steps=STEPS)
    assert torch.equal(latent, sample(tiny, cached(model, 3.0), steps=STEPS))
    said = RUNS.find(latent, recorder).trace.report[0]
    assert "a cache answered for the network" in said or "no step fell into its window" in said


@pytest.mark.parametrize("threshold", [None, 0.5, 1.0])
def test_the_error_of_a_cache_is_no_guidance(tiny, idle_block, threshold):
    """The edit changes nothing here, so guidance by it must not either."""
    model = idle_block if threshold is None else cached(idle_block, threshold)
    plain = sample(tiny, model, steps=STEPS)
    guided = sample(tiny, attach(model, EntropyGuidance(block=1, scale=2.0)), steps=STEPS)
    assert (guided - plain).abs().max() <= 1e-5 * plain.abs().max()


@pytest.mark.parametrize("threshold", [1.0, 3.0])
@pytest.mark.parametrize("node", [EasyCacheNode, LazyCacheNode])
@pytest.mark.parametrize("last", [False, True], ids=["cache first", "cache last"])
def test_tempo_control_takes_gradients_of_the_network_not_of_a_cache(tiny, model, threshold, node, last):
    """50 steps, so that its window and the cache's overlap at their defaults."""
    technique = TempoControl(words=words(tiny), iterations=2)
    both = cached(attach(model, technique), threshold, node) if last else attach(cached(model, threshold, node), technique)
    assert torch.isfinite(sample(tiny, both, steps=50, cfg=4.0, latent=longer(tiny))).all()


@pytest.mark.parametrize("threshold", [0.5, 1.0])
@pytest.mark.parametrize("percent", [0.3, 0.4, 0.5])
def test_a_sweep_measures_the_network_not_a_cache(tiny, idle_block, threshold, percent):
    prompts = Prompts(conditioning(tiny, 1), conditioning(tiny, 2), 4.0)
    given = {"samples": torch.zeros(tiny.latent)}, 0, Steps(STEPS, "euler", "simple"), percent, False
    model = cached(idle_block, threshold)
    found, profile = swept(model, Plan(Where(), ("identity",), False, None), Trials(model, prompts, *given))
    assert len(profile.entropy) == 3
    (idle,) = [change for item, change in found.changes.items() if item.blocks == frozenset({1})]
    others = [change for item, change in found.changes.items() if item.blocks != frozenset({1})]
    assert idle.energy < 1e-4 < min(change.energy for change in others)


def test_a_run_without_skipped_steps_is_the_same_with_a_cache(tiny, model):
    latent = sample(tiny, attach(cached(model, 0.0), STH), steps=STEPS)
    assert torch.equal(latent, sample(tiny, attach(model, STH), steps=STEPS))
