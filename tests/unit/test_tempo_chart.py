"""The picture of a schedule: its size, what is in it, and that nothing is cut off."""

import pytest
import torch

from pack.py.prompts.curves import Clip
from pack.py.prompts.schedule import parse_schedule
from pack.py.views.tempo_chart import UNWANTED, WANTED, tempo_chart


def drawn(text, clip, fps=16.0):
    return tempo_chart(parse_schedule(text).tempo(fps, "hold"), clip, fps)


def pixels(image, colour):
    """How many pixels have this very colour."""
    wanted = torch.tensor([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return int((image - wanted).abs().amax(-1).lt(1e-3).sum())


@pytest.mark.parametrize("clip", [Clip(1, 4), Clip(2, 1), Clip(21, 4), Clip(129, 8)])
@pytest.mark.parametrize("phrases", [1, 6])
def test_size_and_margins(clip, phrases):
    image = drawn("\n".join(f"phrase {i} {'long ' * 30}" for i in range(phrases)), clip)
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and image.dtype == torch.float32
    border = torch.cat([image[0, 0], image[0, -1], image[0, :, 0], image[0, :, -1]])
    assert (border == 1).all(), "something touches the edge"


def test_areas_are_as_the_masks():
    """Half of the clip wanted: about half of the panel in the wanted colour; never wanted: none of it."""
    clip = Clip(21, 4)
    full, half, none = (pixels(drawn(text, clip), WANTED) for text in ("cat", "cat: 0=0, 41=1", "cat: 0=0"))
    assert half / full == pytest.approx(0.5, abs=0.02) and none < 0.02 * full  # the legend's patch
    assert pixels(drawn("cat: 0=0.5", clip), UNWANTED) / full == pytest.approx(0.5, abs=0.03)
