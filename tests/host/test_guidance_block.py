"""How Entropy Guidance chooses its block: by entropies that the first steps measure; it warns of low ones."""

import comfy.samplers
import pytest
import tempo
import torch
from families import sample
from interventions import QueryGain

from pack.py.core.intervention import Where, Window
from pack.py.host.attach import attach
from pack.py.host.sigma_schedule import SigmaSchedule
from pack.py.techniques.ballot import Ballot
from pack.py.techniques.entropy_guidance import EntropyGuidance


def test_the_first_steps_only_measure(tiny, model, caplog):
    caplog.set_level("INFO", logger="temporal_attention")
    guided = attach(model, EntropyGuidance(scale=1.0))
    latents = []
    for subject in (model, guided):
        seen = []
        watched = subject.clone()
        watched.set_model_sampler_post_cfg_function(lambda args, seen=seen: seen.append(args) or args["denoised"])
        sample(tiny, watched, steps=8)
        latents.append([args["input"] for args in seen])
    same = [torch.equal(a, b) for a, b in zip(*latents, strict=True)]
    assert same == [True] * 3 + [False] * 5, "two steps of eight measure; the third one's result is the first that is guided"
    assert "entropies by block" in caplog.text


@pytest.mark.parametrize("windowed", [1, 2, 3, 5, 20])
def test_at_least_half_of_the_window_is_guided(tiny, model, monkeypatch, caplog, windowed):
    """A window that was spent on measuring gave the plain video, and the log blamed a strength of 0."""
    caplog.set_level("INFO", logger="temporal_attention")
    guided, terms = [], EntropyGuidance._terms
    monkeypatch.setattr(EntropyGuidance, "_terms", lambda self, p, *more: guided.append(p.step.index) or terms(self, p, *more))
    sampling = model.get_model_object("model_sampling")
    steps = SigmaSchedule(sampling, comfy.samplers.calculate_sigmas(sampling, "simple", 20).tolist()).steps()
    window = Window(0.0, steps[windowed - 1].progress)
    latent = sample(tiny, attach(model, EntropyGuidance(scale=2.0, window=window)), steps=20)
    measured = {1: 1, 2: 1, 3: 1, 5: 2, 20: 3}[windowed]
    assert guided == list(range(measured, windowed))
    assert torch.equal(latent, sample(tiny, model, steps=20)) == (windowed == 1)
    assert ("every step in its window only measured which block to replace" in caplog.text) == (windowed == 1)
    assert "its strength is 0" not in caplog.text


def test_the_block_of_highest_entropy_is_chosen(tiny, model, caplog):
    """Tripled queries lower the entropies of all blocks but one."""
    caplog.set_level("INFO", logger="temporal_attention")
    sharper = attach(model, QueryGain(gain=30.0, where=Where(blocks=frozenset({0, 2}))), EntropyGuidance())
    sample(tiny, sharper, steps=4)
    assert "acts on block 1" in caplog.text


def test_passes_for_gradients_are_not_measured(monkeypatch, tiny, model):
    noted, note = [], Ballot.note
    monkeypatch.setattr(Ballot, "note", lambda self, *given: noted.append(given[:2]) or note(self, *given))
    both = attach(tempo.control(tiny, model), EntropyGuidance())
    tempo.run(tiny, both, steps=4)
    assert noted and len(noted) == len(set(noted)), "one call a step and block, though TempoControl had more run"


def test_low_entropies_are_warned_of(tiny, model, caplog):
    sample(tiny, attach(model, QueryGain(gain=300.0), EntropyGuidance()), steps=4)
    assert "All entropies of this network are below 50 %" in caplog.text


def test_a_block_of_low_entropy_is_warned_of(tiny, model, caplog):
    low = QueryGain(gain=300.0, where=Where(blocks=frozenset({0})))
    sample(tiny, attach(model, low, EntropyGuidance(block=0)), steps=4)
    assert "low for this network" in caplog.text
