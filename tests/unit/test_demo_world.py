"""The demo world: clips look as their caption says, timing is free, and mirroring a latent mirrors its video."""

from dataclasses import replace
from random import Random

import pytest
import torch

from pack.py.demo import captions, codec, vocabulary, world

THING = world.Thing(("red", "red"), "circle", "still", 9.0, (32.0, 32.0), 0.0)


def clip(background="gray", **changes):
    return world.Clip((replace(THING, **changes),), (background, background))


def reddish(video):
    """[33, 64, 64] where a frame is clearly red."""
    return video[0] - video[1:].amax(0) > 0.3


def centre(mask):
    """(x, y) of the mean pixel of a mask."""
    y, x = mask.nonzero().float().mean(0).tolist()
    return x, y


@pytest.mark.parametrize("motion", world.MOTIONS)
def test_things_move_as_they_are_said_to(motion):
    start = tuple(32.0 - 10 * direction for direction in world.MOTIONS[motion])
    (video,) = world.render([clip(motion=motion, start=start, speed=20 / 32)])
    first, last = reddish(video)[0], reddish(video)[-1]
    moved = [b - a for a, b in zip(centre(first), centre(last), strict=True)]
    assert moved == pytest.approx([20 * direction for direction in world.MOTIONS[motion]], abs=0.6)
    growth = last.sum() / first.sum()
    assert (growth > 2) == (motion == "grows") and (growth < 0.5) == (motion == "shrinks")


def test_things_are_there_only_in_their_time():
    (video,) = world.render([clip(appears=5, vanishes=20)])
    there = reddish(video).flatten(1).any(1)
    assert there.nonzero().flatten().tolist() == list(range(5, 20))


def test_colours_and_backgrounds_change_midway():
    (video,) = world.render([world.Clip((replace(THING, colours=("red", "blue")),), ("black", "white"))])
    assert reddish(video).flatten(1).any(1).tolist() == [True] * 16 + [False] * 17
    assert video[:, :16, 0, 0].max() < 0.1 and video[:, 16:, 0, 0].min() > 0.7


def test_the_first_thing_is_in_front():
    front, back = replace(THING, radius=6.0), replace(THING, colours=("blue", "blue"), radius=10.0)
    (video,) = world.render([world.Clip((front, back), ("gray", "gray"))])
    assert reddish(video)[0, 32, 32] and not reddish(video)[0, 32, 40]


def test_random_things_stay_inside_and_timing_varies():
    random = Random(0)
    clips = [world.random_clip(random, things=1 + i % 2) for i in range(300)]
    things = [thing for c in clips for thing in c.things]
    for thing in things:
        for axis in (0, 1):
            end = thing.start[axis] + 32 * thing.speed * world.MOTIONS[thing.motion][axis]
            assert thing.radius <= min(thing.start[axis], end) and max(thing.start[axis], end) <= world.SIZE - thing.radius
    assert 0.4 < sum((t.appears, t.vanishes) == (0, world.FRAMES) for t in things) / len(things) < 0.6
    assert len({thing.appears for thing in things}) > 10
    changing = sum(len(set(c.backgrounds)) > 1 or any(len(set(t.colours)) > 1 for t in c.things) for c in clips)
    assert changing / len(clips) <= 0.04


def test_captions_fit_the_encoder_and_say_nothing_of_time():
    random = Random(1)
    for i in range(500):
        words = vocabulary.split_words(captions.caption(world.random_clip(random, 1 + i % 2), random))
        assert len(words) <= vocabulary.LENGTH and set(words) <= set(vocabulary.VOCABULARY)


def test_captions_name_what_is_there():
    said = captions.caption(clip("striped", shape="triangle", motion="left"), Random(0))
    assert all(word in said for word in ("red", "triangle", "left", "striped"))


def test_mirroring_latents_mirrors_the_video():
    video = world.render([world.random_clip(Random(seed)) for seed in range(4)]) * 2 - 1
    linear = codec.LinearCodec()
    sign = torch.tensor([(-1.0) ** component[3] for component in codec.COMPONENTS]).view(-1, 1, 1, 1)
    torch.testing.assert_close(linear.encode(video).flip(-1) * sign, linear.encode(video.flip(-1)), atol=1e-5, rtol=1e-5)
