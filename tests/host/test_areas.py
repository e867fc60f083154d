"""Conditionings for a part of the picture: the host copies each to the other side, with the id and the marks of its own."""

from unittest.mock import patch

import pytest
import torch
from comfy_extras.nodes_video_model import ConditioningSetAreaPercentageVideo
from compare import relative
from families import conditioning, sample
from interventions import QueryGain, Watcher
from synopses import LENGTH, synopsis

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch
from pack.py.host.attach import attach
from pack.py.host.prefix import Prefixes
from pack.py.techniques.entropy_guidance import EntropyGuidance
from pack.py.techniques.vsp import VideoSynopsisPrompting

COND, UNCOND = Branch.COND, Branch.UNCOND
WIDE = (1, 16, 3, 8, 16)
LEFT = (3, 8, 8, 0, 0, 0)
GUIDANCE = EntropyGuidance(block=1, scale=2.0)
LENGTHS = pytest.mark.parametrize("uncond_tokens", [LENGTH, 5], ids=["batched", "separate"])


def within(area, conds):
    """The conditionings for an area alone: sizes, then where it begins, in latent values."""
    return [[text, {**options, "area": area, "strength": 1.0}] for text, options in conds]


def full_and_left(tiny):
    """A prompt for all of the picture and another one for its left half."""
    return conditioning(tiny, 1, latent=WIDE) + within(LEFT, conditioning(tiny, 3, latent=WIDE))


def wide(tiny, model, **options):
    """A run on a picture that areas divide."""
    return sample(tiny, model, **{"steps": 2, "latent": WIDE, "positive": full_and_left(tiny)} | options)


@LENGTHS
def test_each_side_is_known_in_every_area(tiny, model, uncond_tokens):
    said, log = [], []
    counted = model.clone()

    def count(apply_model, call):
        said.append(call["cond_or_uncond"])
        return apply_model(call["input"], call["timestep"], **call["c"])

    counted.set_model_unet_function_wrapper(count)
    wide(tiny, attach(counted, Watcher(log=log)), uncond_tokens=uncond_tokens)
    forwards = {id(forward): forward for _, forward, *_ in log}.values()
    assert [f.branches for f in forwards] == [tuple((COND, UNCOND)[side] for side in call) for call in said]
    assert len({f.grid.width for f in forwards}) == 2 and not any(f.extra for f in forwards)


@LENGTHS
@pytest.mark.parametrize("branch", [COND, UNCOND])
def test_an_edit_of_one_side_leaves_the_other_alone(tiny, model, uncond_tokens, branch):
    seen = []
    for subject in (model, attach(model, QueryGain(branch=branch))):
        watched = subject.clone()
        watched.set_model_sampler_post_cfg_function(lambda args: seen.append(args) or args["denoised"])
        wide(tiny, watched, steps=1, uncond_tokens=uncond_tokens)
    plain, edited = ((each["cond_denoised"], each["uncond_denoised"]) for each in seen)
    assert [torch.equal(*pair) for pair in zip(plain, edited, strict=True)] == [branch is UNCOND, branch is COND]


@LENGTHS
def test_an_extra_prediction_goes_on_from_the_blocks_of_its_own_area(tiny, model, uncond_tokens):
    shared = wide(tiny, attach(model, GUIDANCE), uncond_tokens=uncond_tokens)
    with patch.object(Prefixes, "resume", lambda *_: False):
        whole = wide(tiny, attach(model, GUIDANCE), uncond_tokens=uncond_tokens)
    assert relative(shared, whole) < 1e-5


@LENGTHS
def test_key_prompts_may_have_an_area(tiny, model, uncond_tokens):
    vsp, plain = attach(model, VideoSynopsisPrompting()), within(LEFT, conditioning(tiny, 1, latent=WIDE))
    same, changing = (within(LEFT, synopsis(tiny, seeds, latent=WIDE)) for seeds in ([1, 1], [1, 5]))
    results = [wide(tiny, vsp, positive=keys, uncond_tokens=uncond_tokens) for keys in (plain, same, changing)]
    assert relative(results[1], results[0]) < 1e-5 and relative(results[2], results[0]) > 1e-4


def over_time(tiny, temporal, z):
    """A prompt for all frames and another one for some of them, as the host's node makes it."""
    sizes, start = (0.5, 1.0, temporal), (0.0, 0.0, z)
    (part,) = ConditioningSetAreaPercentageVideo().append(conditioning(tiny, 3, latent=WIDE), *sizes, *start, strength=1.0)
    return conditioning(tiny, 1, latent=WIDE) + part


@pytest.mark.parametrize(("temporal", "z"), [(0.7, 0.0), (0.7, 0.3), (1.0, 0.4)])
def test_areas_over_time_are_refused_before_the_network_is_called(tiny, model, temporal, z):
    log, positive = [], over_time(tiny, temporal, z)
    with pytest.raises(TemporalAttentionError, match="conditionings for all frames"):
        wide(tiny, attach(model, Watcher(log=log)), positive=positive)
    assert not log and torch.isfinite(wide(tiny, attach(model, EntropyGuidance.neutral()), positive=positive)).all()


def test_an_area_with_all_frames_is_an_area_like_any_other(tiny, model):
    video, picture = over_time(tiny, 1.0, 0.0), full_and_left(tiny)
    assert torch.equal(*(wide(tiny, attach(model, GUIDANCE), positive=positive) for positive in (video, picture)))
