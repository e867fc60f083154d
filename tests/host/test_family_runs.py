"""The ways in which people sample, on every family: few steps without guidance, batches, odd sizes, separate calls."""

import pytest
import torch
from families import sample, tiny_networks
from inside import attentions_over_the_video
from interventions import Watcher

from pack.py.core.events import Branch
from pack.py.host.attach import attach
from pack.py.techniques.sth import SpectralTransportHomeostasis

NETWORKS = tiny_networks()
COND, UNCOND = Branch.COND, Branch.UNCOND
STH = SpectralTransportHomeostasis(tau=2.0, layer_weight="flat")
ONE_AT_A_TIME = {"animatediff", "svd", "hunyuan_video_reference", "minimax_h3"}  # the host takes one video there


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def subject(request):
    """(name, tiny network, loaded MODEL)."""
    with torch.inference_mode():
        return request.param, NETWORKS[request.param], NETWORKS[request.param].load()


def watched(tiny, model, **options):
    """(latent, forwards in order) of a run with STH."""
    log = []
    latent = sample(tiny, attach(model, STH, Watcher(log=log)), **options)
    return latent, list(dict.fromkeys(forward for _, forward, *_ in log)), log


def test_four_steps_without_guidance(subject):
    """Distilled models."""
    _, tiny, model = subject
    latent, forwards, log = watched(tiny, model, steps=4, cfg=1.0)
    assert {f.branches for f in forwards} == {(COND,)} and {f.step.index for f in forwards} == {0, 1, 2, 3}
    assert len(log) == 4 * attentions_over_the_video(model)
    latent_frames = tiny.latent[2 if len(tiny.latent) == 5 else 0]
    assert {f.latents.whole for f in forwards} == {latent_frames} and all(f.frames is None for f in forwards)
    assert torch.isfinite(latent).all() and not torch.equal(latent, sample(tiny, model, steps=4, cfg=1.0))


def test_cond_and_uncond_in_separate_calls(subject):
    _, tiny, model = subject
    _, forwards, _ = watched(tiny, model, steps=1, uncond_tokens=5)
    assert {branch for f in forwards for branch in f.branches} == {COND, UNCOND}


def test_two_samples_in_one_batch(subject):
    name, tiny, model = subject
    if name in ONE_AT_A_TIME:
        pytest.skip("the host samples one video at a time with this network")
    _, forwards, _ = watched(tiny, model, steps=1, batch=2)
    assert all(set(f.samples) == {0, 1} for f in forwards)


def test_sizes_that_are_no_whole_patches(subject):
    """Where the host pads or rounds them, the tokens that are seen are those that the network has."""
    _, tiny, model = subject
    odd = (*tiny.latent[:-2], tiny.latent[-2] + 1, tiny.latent[-1] + 2)
    try:
        plain = sample(tiny, model, steps=1, latent=odd)
    except Exception as error:
        pytest.skip(f"the host itself cannot sample it: {error}")
    latent, forwards, _ = watched(tiny, model, steps=1, latent=odd)
    assert forwards and not torch.equal(latent, plain)
