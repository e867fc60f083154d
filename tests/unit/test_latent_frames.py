"""Which latent frames the frames of tokens of a network call hold."""

import pytest
import torch
from events import forward

from pack.py.core.latent_frames import LatentFrames


def test_a_whole_video_has_no_places():
    all_of_it = LatentFrames.all(3)
    assert all_of_it.held == ((0,), (1,), (2,)) and all_of_it.places is None and all_of_it.tokens == 3
    assert all_of_it.middles == (0, 1, 2)


def test_a_window_of_joined_frames():
    window = LatentFrames.of((4, 5, 6, 7, 8), whole=9, patch=2)
    assert window.held == ((4, 5), (6, 7), (8,)) and window.places == (2, 3, 4) and window.tokens == 5
    assert window.middles == (4.5, 6.5, 8)


@pytest.mark.parametrize(("frames", "patch"), [((5, 6, 7, 8), 2), ((10, 0, 1, 2, 3), 2), ((2, 3), 1), ((0, 3, 6, 9, 10), 3)])
def test_numbers_go_to_the_frames_that_hold_them(frames, patch):
    values = torch.randn(2, 11, generator=torch.Generator().manual_seed(len(frames)))
    latents = LatentFrames.of(frames, 11, patch)
    for row in range(2):
        expected = [sum(values[row, f].item() for f in held) / len(held) for held in latents.held]
        assert latents.mean(values)[row].tolist() == pytest.approx(expected)
    assert latents.mean(torch.arange(11.0)).tolist() == pytest.approx(list(latents.middles))
    assert [f for held in latents.held for f in held] == list(frames)


def test_a_call_of_which_nothing_else_is_known_sees_a_whole_video():
    alone = forward(frames=4)
    assert alone.latents == LatentFrames.all(4) and alone.frames is None and alone.whole == 4
