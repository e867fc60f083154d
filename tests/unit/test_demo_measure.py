"""Clips are read back as they were made: exactly from their pixels, and nearly so through the codec."""

from dataclasses import replace
from random import Random

import pytest
import torch

from pack.py.demo import codec, world
from pack.py.demo.measure import measure
from pack.py.demo.verdict import Verdict, judge

THING = world.Thing(("red", "red"), "circle", "still", 9.0, (30.0, 34.0), 0.0)


def clip(background="gray", **changes):
    return world.Clip((replace(THING, **changes),), (background, background))


def image(made):
    """The clip as an IMAGE batch [33, 64, 64, 3]."""
    return world.render([made])[0].permute(1, 2, 3, 0)


def through_codec(made):
    linear = codec.LinearCodec()
    return (linear.decode(linear.encode(world.render([made]) * 2 - 1))[0].permute(1, 2, 3, 0) + 1) / 2


@pytest.mark.parametrize("shape", world.SHAPES)
@pytest.mark.parametrize("colour", world.COLOURS)
def test_a_thing_is_measured_where_it_is(colour, shape):
    (thing,) = measure(image(clip(colours=(colour, colour), shape=shape))).things
    assert (thing.colour, thing.shape, thing.motion) == (colour, shape, "still")
    assert thing.present.all()
    torch.testing.assert_close(thing.centres, torch.tensor([[30.0, 34.0]]).expand(33, 2), atol=0.15, rtol=0)
    torch.testing.assert_close(thing.radii, torch.full((33,), 9.0), atol=0.25, rtol=0)


@pytest.mark.parametrize("motion", world.MOTIONS)
def test_motions_are_told_apart(motion):
    start = tuple(32.0 - 18 * direction for direction in world.MOTIONS[motion])
    (thing,) = measure(image(clip(motion=motion, start=start, speed=36 / 32))).things
    assert thing.motion == motion


@pytest.mark.parametrize("background", world.BACKGROUNDS)
def test_backgrounds_are_told_apart_and_rendered_ones_do_not_flicker(background):
    found = measure(image(clip(background)))
    assert found.background == background and found.flicker == 0


def test_flicker_is_the_mean_change_of_the_background():
    video = image(clip("gray"))
    video[::2] = (video[::2] + 0.02 * (video[::2].amax(-1, keepdim=True) < 0.5)).clamp(0, 1)
    assert measure(video).flicker == pytest.approx(0.02, abs=1e-3)


def test_presence_is_by_frame():
    (thing,) = measure(image(clip(appears=7, vanishes=25))).things
    assert thing.present.nonzero().flatten().tolist() == list(range(7, 25))
    assert torch.isnan(thing.centres[:7]).all() and torch.isnan(thing.radii[25:]).all()


def test_an_empty_clip_has_no_things():
    found = measure(image(clip(appears=33)))
    assert found.things == () and found.background == "gray"
    assert judge(clip(), found) == Verdict(False, True, False, False, False, None, False)


def test_every_false_word_is_noticed():
    shown = measure(image(clip(motion="left", start=(50.0, 32.0), speed=1.1)))
    right = clip(motion="left")
    assert judge(right, shown).everything
    for wrong, part in (
        (clip(motion="left", colours=("blue", "blue")), "colour"),
        (clip(motion="left", shape="square"), "shape"),
        (clip(motion="right"), "direction"),
        (clip(motion="still"), "moves_or_stays"),
        (clip("white", motion="left"), "background"),
    ):
        verdict = judge(wrong, shown)
        assert not getattr(verdict, part) and not verdict.everything


def test_of_two_things_each_is_judged_by_its_colour():
    other = replace(THING, colours=("blue", "blue"), shape="square", start=(12.0, 50.0))
    both = world.Clip((replace(THING, start=(50.0, 14.0)), other), ("white", "white"))
    first, second = both.things
    swapped = world.Clip((replace(first, shape=second.shape), replace(second, shape=first.shape)), both.backgrounds)
    shown = measure(image(both))
    assert judge(both, shown).everything
    assert judge(swapped, shown).colour and not judge(swapped, shown).shape
    assert not judge(both, measure(image(clip("white")))).present


@pytest.mark.parametrize("things, floor", [(1, 0.95), (2, 0.7)])
def test_the_codec_leaves_nearly_everything_readable(things, floor):
    random = Random(5)
    clips = [world.random_clip(random, things) for _ in range(60)]
    right = [judge(made, measure(through_codec(made))).everything for made in clips]
    assert sum(right) / len(right) >= floor
