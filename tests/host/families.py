"""Tiny random networks of every model family, made from shapes at test time; one file a family in `networks/`."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.sd
import comfy.utils
import torch
from comfy.context_windows import IndexListContextHandler, get_matching_context_schedule, get_matching_fuse_method
from comfy.nested_tensor import NestedTensor


@dataclass(frozen=True)
class Tiny:
    """One tiny network: how to load it, what it samples, and what its conditioning holds besides text for a latent shape.

    `masked`: its text comes with an attention mask. `audio`: the shape of the audio latent that goes with the video.
    """

    load: Callable[[], object]
    latent: tuple[int, ...]
    text_width: int
    extras: Callable[[torch.Generator, tuple[int, ...]], dict] = field(default=lambda generator, latent: {})
    masked: bool = False
    audio: tuple[int, ...] | None = None


def tiny_networks() -> dict[str, Tiny]:
    """Every tiny network by name."""
    folder = Path(__file__).parent / "networks"
    modules = (importlib.import_module(f"networks.{info.name}") for info in pkgutil.iter_modules([str(folder)]))
    return {name: tiny for module in modules for name, tiny in module.NETWORKS.items()}


def random_weights(network: torch.nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict of the network's shapes whose signals neither die nor explode."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _random(name, value, generator) for name, value in network.state_dict().items()}


def _random(name: str, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    value = torch.randn(like.shape, generator=generator)
    if name.endswith("weight") and like.ndim >= 2:
        return value / math.sqrt(like[0].numel())
    return 1 + 0.1 * value if name.endswith("weight") else 0.1 * value


def native(network: torch.nn.Module, metadata: dict | None = None, planted: dict[str, torch.Tensor] | None = None):
    """Random weights, or planted ones by name, through the host's own loader; float32, so that comparisons can be strict."""
    weights = {**random_weights(network), **(planted or {})}
    model = comfy.sd.load_diffusion_model_state_dict(weights, model_options={"dtype": torch.float32}, metadata=metadata)
    assert model is not None, "the host did not recognise the network"
    return model


def in_process(config: type, sampling: dict | None = None, **sizes):
    """A float32 MODEL of a family (a class of the host's supported models) whose sizes no file could tell the host's loader.

    `sampling` replaces sampling settings of the family: in float32 a very large first sigma leaves few digits of a prediction.
    """
    settings = config(sizes)
    settings.unet_config.update(sizes)
    settings.sampling_settings.update(sampling or {})
    settings.set_inference_dtype(torch.float32, None)
    model = settings.get_model({}, "", device=torch.device("cpu"))
    model.diffusion_model.load_state_dict(random_weights(model.diffusion_model))
    devices = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    return comfy.model_patcher.CoreModelPatcher(model, *devices)


def windowed(model, length: int, overlap: int, axis: int = 2):
    """The MODEL with context windows of so many places along an axis of its latent."""
    model = model.clone()
    schedule, fuse = get_matching_context_schedule("standard_static"), get_matching_fuse_method("pyramid")
    handler = IndexListContextHandler(schedule, fuse, length, context_overlap=overlap, dim=axis)
    model.model_options["context_handler"] = handler
    return model


def conditioning(tiny: Tiny, seed: int, tokens: int = 7, latent: tuple[int, ...] | None = None) -> list:
    """One conditioning with random text of `tokens` tokens, the last one padding if there is a mask to say so."""
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn(1, tokens, tiny.text_width, generator=generator)
    mask = {"attention_mask": (torch.arange(tokens) < tokens - 1).long()[None]} if tiny.masked else {}
    return [[text, {**mask, **tiny.extras(generator, (1, *(latent or tiny.latent)[1:]))}]]


def empty_latent(tiny: Tiny, shape: tuple[int, ...]) -> torch.Tensor | NestedTensor:
    """Zeros of a latent shape, with the audio that goes with it."""
    video = torch.zeros(shape)
    return video if tiny.audio is None else NestedTensor([video, torch.zeros(shape[0], *tiny.audio[1:])])


def sample(
    tiny: Tiny, model, *, steps=3, cfg=4.0, sampler="euler", seed=0, batch=1, latent=None, uncond_tokens=7, packed=True,
    positive=None, negative=None, **options,
):  # fmt: skip
    """A native sampling run with equal text lengths, so that cond and uncond share one batch; returns the latent.

    A video and its audio come in one tensor, as samplers see them, unless not `packed`. Where a batch is the frames of one
    video (SVD), `batch` multiplies them.
    """
    empty = empty_latent(tiny, latent or (batch * tiny.latent[0], *tiny.latent[1:]))
    noise = comfy.sample.prepare_noise(empty, seed)
    positive = positive or conditioning(tiny, 1, latent=latent)
    negative = negative or conditioning(tiny, 2, uncond_tokens, latent)
    sampled = comfy.sample.sample(
        model, noise, steps, cfg, sampler, "simple", positive, negative, empty, seed=seed, disable_pbar=True, **options
    )
    return comfy.utils.pack_latents(sampled.unbind())[0] if sampled.is_nested and packed else sampled
