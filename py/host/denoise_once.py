"""One prediction on a noised latent: how the model looks at an existing video (VSTAR, section 3.2)."""

from __future__ import annotations

import comfy.sample
import comfy.samplers
import torch

from ..core.errors import TemporalAttentionError
from .latents import as_returned, is_empty, prepared


def denoise_once(model, latent: dict, positive: list, percent: float, seed: int) -> dict:
    """The LATENT that the model makes of a noised one in a single prediction, without guidance.

    All of it goes through the host's own sampling, so that wrappers, context windows and loading are those of a real run: a
    step of Euler's method from sigma to 0 returns the denoised latent itself.

    Args:
        latent: a LATENT of clean videos. A noise mask is not used: all of the latent gets the noise.
        percent: where in a run, 0 = pure noise, 1 = the least noise that the model knows: the host's own percents.

    Raises TemporalAttentionError for an empty latent.
    """
    samples = prepared(model, latent)["samples"]
    if is_empty(samples):
        raise TemporalAttentionError(
            "the latent of a video", "an empty latent", "Encode a video (VAE Encode), or connect the latent of a sampler."
        )
    guider = comfy.samplers.CFGGuider(model)
    guider.inner_set_conds({"positive": positive})
    denoised = guider.sample(
        comfy.sample.prepare_noise(samples, seed, latent.get("batch_index")),
        samples,
        comfy.samplers.sampler_object("euler"),
        torch.tensor([sigma_at(model, percent), 0.0]),
        disable_pbar=True,
        seed=seed,
    )
    return {**latent, "samples": as_returned(denoised)}


def sigma_at(model, percent: float) -> float:
    """The model's sigma at a percent of a run, within the sigmas that it knows."""
    sampling = model.get_model_object("model_sampling")
    return min(max(float(sampling.percent_to_sigma(percent)), float(sampling.sigma_min)), float(sampling.sigma_max))
