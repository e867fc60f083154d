"""Pictures of a word's attention and of the iterations: sizes, colours, places in time."""

import numpy as np
import pytest
import torch

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, Site, Step
from pack.py.core.intervention import Window
from pack.py.core.latent import Iteration
from pack.py.core.trace import Record, Trace
from pack.py.prompts.schedule import parse_schedule
from pack.py.prompts.timed_words import TimedWords
from pack.py.views.tempo_report import tempo_report
from pack.py.views.word_attention import CURSOR, word_frames
from pack.py.views.word_maps import grid_frame, word_map

SITE = Site(0, 1, "cross", "text")


def words(schedule="cat: 0=0, 9=1\ndog"):
    tempo = parse_schedule(schedule).tempo(16.0, "hold")
    return TimedWords(tempo, ((0,), (1,)), torch.zeros(1, 3, 2), 4)


def step(index, total=4):
    return Step(index, total, 1 - index / total, index / total, 1.0)


def record(value, index=0, frames=None, sample=0):
    return Record(step(index), SITE, Branch.COND, sample, frames, {"words": value})


def test_a_map_is_the_mean_over_the_steps_of_a_window():
    trace = Trace("Wan", 1, [record(np.full((2, 3, 2, 2), float(i)), i) for i in range(4)])
    assert (word_map(trace, 0, 0, Window(0.25, 0.5)) == 1.5).all()
    with pytest.raises(TemporalAttentionError, match="sample 5"):
        word_map(trace, 0, 5, Window())


def test_context_windows_are_put_together():
    parts = [record(np.full((1, 2, 1, 1), 1.0), frames=(0, 1)), record(np.full((1, 2, 1, 1), 3.0), frames=(1, 2))]
    assert word_map(Trace("Wan", 1, parts), 0, 0, Window()).ravel().tolist() == [1, 2, 3]


def test_calls_for_an_area_of_the_picture_are_left_out():
    parts = [record(np.full((1, 2, 1, 2), 9.0)), record(np.full((1, 2, 2, 2), 1.0)), record(np.full((1, 2, 2, 2), 2.0), 1)]
    assert (word_map(Trace("Wan", 1, parts), 0, 0, Window()) == np.full((2, 2, 2), 1.5)).all()


@pytest.mark.parametrize(
    "video,compression,grid,expected", [(9, 4, 3, "011112222"), (5, 4, 2, "01111"), (13, 4, 2, "0000011111111")]
)
def test_the_tokens_of_each_video_frame(video, compression, grid, expected):
    assert "".join(map(str, grid_frame(video, compression, grid))) == expected


@pytest.mark.parametrize("images", [None, torch.rand(17, 48, 80, 3)])
def test_frames(images):
    maps = np.random.default_rng(0).random((5, 3, 5))
    frames = word_frames(maps, words(), 0, images)
    assert frames.shape[0] == 17 and frames.shape[2:] == (640, 3)
    assert float(frames.min()) >= 0 and float(frames.max()) <= 1
    cursor = (frames - torch.tensor(CURSOR)).abs().amax(-1).lt(1e-4)[:, 384:].sum(1)
    columns = cursor.argmax(-1).tolist()
    assert columns == sorted(set(columns)), "the line moves to the right from frame to frame"
    edges = torch.cat([frames[0, -1], frames[0, 384:, 0], frames[0, 384:, -1]])
    assert (edges == 1).all(), "something touches the edge"


def test_the_brightest_place_is_where_the_attention_is():
    maps = np.zeros((3, 2, 2))
    maps[1, 0, 1] = 1
    frames = word_frames(maps, words(), 0)
    brightness = frames[:, :640].sum(-1)
    assert brightness[2, :200, 440:].mean() > 4 * brightness[2, 440:, :200].mean() and brightness[0, :640].std() < 1e-6


def iteration(index, number, running=(True, True)):
    values = {"loss": np.array([3.0, 2.0]) / number, "correlation": np.array([[0.1 * number, np.nan], [0.2, np.nan]])}
    values["mass_ratio"] = values["correlation"]
    return Iteration(step(index, 60), number, 10, ("cat", "a very long phrase " * 8), values, running)


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_report(steps):
    found = tuple(iteration(index, number, (True, number < 2)) for index in range(steps) for number in (1, 2, 3))
    image = tempo_report(Trace("Wan", 1, iterations=found), " (a note)")
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
    border = torch.cat([image[0, 0], image[0, -1], image[0, :, 0], image[0, :, -1]])
    assert (border == 1).all(), "something touches the edge"


def test_a_report_needs_iterations():
    with pytest.raises(TemporalAttentionError, match="iterations"):
        tempo_report(Trace("Wan", 1))
