"""Prompts, phrases and windows under TempoControl: which text counts for it and for the recorder, and what is refused."""

import logging

import numpy as np
import pytest
import torch
from families import conditioning, sample, tiny_networks, windowed
from tempo import RATE, control, iterations, longer, run, words

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.intervention import Window
from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.techniques.tempo_control import TempoControl
from pack.py.techniques.word_record import WordRecorder

NETWORKS = tiny_networks()


def test_another_text_is_refused(tiny, model):
    other = conditioning(tiny, 7)
    with pytest.raises(TemporalAttentionError, match="the sampler's positive prompt to be the text given to TempoControl"):
        run(tiny, control(tiny, model), positive=other)
    longer_text = conditioning(tiny, 1, tokens=9)
    with pytest.raises(TemporalAttentionError, match="another conditioning"):
        run(tiny, control(tiny, model), positive=longer_text)


def ranged(conds, start, end):
    return [[text, {**options, "start_percent": start, "end_percent": end}] for text, options in conds]


def test_a_prompt_whose_timestep_range_begins_later_is_named(tiny, model):
    own, other = conditioning(tiny, 1), conditioning(tiny, 5)
    timed = control(tiny, model)
    assert torch.isfinite(run(tiny, timed, positive=ranged(own, 0.0, 0.4) + ranged(other, 0.4, 1.0))).all()
    with pytest.raises(TemporalAttentionError, match="timestep range leaves out this step"):
        run(tiny, timed, positive=ranged(own, 0.4, 1.0) + ranged(other, 0.0, 0.4))


def test_of_joined_conditionings_the_one_with_the_text_counts(tiny, model):
    both = [*conditioning(tiny, 7), *conditioning(tiny, 1)]
    assert not torch.equal(run(tiny, control(tiny, model), positive=both), run(tiny, model, positive=both))


@pytest.mark.parametrize("tokens", [4, 7])
def test_of_joined_conditionings_the_recorder_watches_the_one_with_the_text(tiny, model, tokens):
    """In one batch with the other or not, and though the other is too short for the phrase."""
    given = words(tiny, positions=((4, 5),))
    recorder = WordRecorder(words=given)
    patched = attach(control(tiny, model, positions=((4, 5),)), recorder)

    def maps(positive):
        trace = RUNS.find(run(tiny, patched, positive=positive), recorder).trace
        return [record.values["words"] for record in trace.records], trace.iterations

    (first, *rest), judged = maps([*conditioning(tiny, 7, tokens), *conditioning(tiny, 1)])
    (alone, *more), judged_alone = maps(conditioning(tiny, 1))
    assert len(rest) == len(more) == 1, "one map a step"
    np.testing.assert_allclose(first, alone, rtol=1e-4)
    np.testing.assert_allclose(judged[-1].values["loss"], judged_alone[-1].values["loss"], rtol=1e-4)


def test_a_run_with_another_text_leaves_the_recorder_empty_and_says_so(tiny, model, caplog):
    caplog.set_level(logging.INFO, "temporal_attention")
    recorder = WordRecorder(words=words(tiny))
    latent = run(tiny, attach(model, recorder), positive=conditioning(tiny, 7))
    assert not RUNS.find(latent, recorder).trace.records
    assert "WordRecorder was active on 0 of 2 steps: no call read only the text of its phrases" in caplog.text


def test_each_recorder_has_the_iterations_of_its_own_words(tiny, model):
    one = words(tiny)
    two = words(tiny, "cat: 0%=0, 50%=1\ndog: 0%=1, 50%=0", ((1,), (2,)))
    patched, recorders = model, [WordRecorder(words=one), WordRecorder(words=two)]
    for given, count in ((one, 3), (two, 2)):
        technique = TempoControl(words=given, lr=RATE, iterations=count, stop_correlation=1.0, window=Window(0.0, 0.01))
        patched = attach(patched, technique)
    latent = run(tiny, attach(patched, *recorders))
    phrases = [[one.phrases for one in iterations(latent, recorder)] for recorder in recorders]
    assert phrases == [[("cat",)] * 3, [("cat", "dog")] * 2]


def test_the_recorder_keeps_one_map_a_step(tiny, model):
    recorder = WordRecorder(words=words(tiny, "cat: 0%=0, 50%=1\ndog: 0%=1, 50%=0", ((1, 2), (4,))))
    latent = sample(tiny, attach(model, recorder), steps=3, latent=longer(tiny))
    records = RUNS.find(latent, recorder).trace.records
    assert len(records) == 3 and {r.values["words"].shape for r in records} == {(2, 5, 4, 4)}


@pytest.mark.parametrize("frames,schedule,said", [(2, "cat: 0=0, 4=1", "3 latent frames"), (5, "cat: 0=0.5", "constant values")])
def test_what_cannot_be_timed_is_refused(tiny, model, frames, schedule, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(tiny, control(tiny, model, schedule=schedule), frames=frames)


def test_a_phrase_that_is_wanted_throughout(tiny, model, caplog):
    caplog.set_level(logging.INFO, "temporal_attention")
    assert not torch.equal(run(tiny, control(tiny, model, schedule="cat")), run(tiny, model))
    assert "cat wanted throughout" in caplog.text


def test_a_schedule_of_two_phrases(tiny, model):
    two = control(tiny, model, "cat: 0%=0, 50%=1\ndog: 0%=1, 50%=0", ((1, 2), (4,)))
    assert not torch.equal(run(tiny, two), run(tiny, control(tiny, model)))


def test_context_windows(tiny, model):
    assert torch.isfinite(run(tiny, windowed(control(tiny, model), 4, 2), frames=6)).all()


def test_a_context_window_of_joined_frames_gets_its_own_part_of_the_schedule(monkeypatch):
    """CogVideoX 1.5 makes one frame of tokens of two latent frames; a window after the first begins with an anchor frame."""
    from pack.py.techniques import tempo_evaluation

    tiny, seen = NETWORKS["cogvideox_1.5"], []
    losses = tempo_evaluation.tempo_losses
    look = lambda maps, masks, *weights: seen.append(masks) or losses(maps, masks, *weights)  # noqa: E731
    monkeypatch.setattr(tempo_evaluation, "tempo_losses", look)
    latent = (1, 16, 14, 4, 4)
    patched = windowed(control(tiny, tiny.load(), iterations=1, latent=latent), 8, 2)
    sample(tiny, patched, steps=1, cfg=1.0, latent=latent)
    (mask,) = words(tiny, latent=latent).masks(14)
    wanted = [mask[:8].unflatten(0, (-1, 2)).mean(1), torch.cat([mask[5:13].unflatten(0, (-1, 2)).mean(1), mask[13:14]])]
    assert [masks[0].tolist() for masks in seen] == [each.tolist() for each in wanted]
