"""What Initial Noise Nursing does with its inputs: checks, the reference's attention, the search, the NOISE that comes out."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..py.core.errors import TemporalAttentionError
from ..py.core.noise import NoiseDistribution, NursingIteration
from ..py.core.store import RUNS
from ..py.core.trace import Trace
from ..py.host.attach import attach
from ..py.host.denoise_once import denoise_once
from ..py.host.latents import prepared, refuse_all_but_video
from ..py.host.noise_gradient import NoiseGradients
from ..py.techniques.frame_attention_match import AttentionDistance, FrameAttentionTap
from ..py.techniques.noise_nursing import NoiseNursing

WITHOUT_AUDIO = "Optimise the noise of the video without its audio."


@dataclass(frozen=True, eq=False)
class NursedNoise:
    """A NOISE: that of another one, sent through a distribution."""

    noise: object
    distribution: NoiseDistribution

    @property
    def seed(self) -> int:
        """Of the noise that goes in."""
        return self.noise.seed

    def generate_noise(self, input_latent: dict) -> Tensor:
        """As the host calls it; raises TemporalAttentionError for a latent of another size."""
        white = self.noise.generate_noise(input_latent)
        refuse_all_but_video(white, WITHOUT_AUDIO)
        return self.distribution.of(white)


def checked(model, latent: dict, reference: dict) -> tuple[dict, dict]:
    """The latent as samplers make it ready, and the reference. Raises TemporalAttentionError where they do not fit."""
    latent, reference = prepared(model, latent), prepared(model, reference)
    for given in (latent, reference):
        refuse_all_but_video(given["samples"], WITHOUT_AUDIO)
    video, other = latent["samples"], reference["samples"]
    if video.shape[2] < 2:
        raise TemporalAttentionError("a latent of at least 2 frames", "1", "A still has no attention between frames.")
    if len(other) != 1:
        raise TemporalAttentionError("one reference video", f"a batch of {len(other)}", "Pick one with Get Latent From Batch.")
    if video.shape[1:3] != other.shape[1:3]:
        raise TemporalAttentionError(
            f"a reference of {video.shape[2]} latent frames with {video.shape[1]} channels, like the video",
            f"{other.shape[2]} frames with {other.shape[1]} channels",
            "Encode as many frames as you want to generate, with this model's VAE. Width and height may differ.",
        )
    return latent, reference


@dataclass(frozen=True)
class Compared:
    """Where in a run attentions are compared, which, and how the way back is taken."""

    percent: float
    tap: FrameAttentionTap
    keep_attention: bool = False


def search(
    model, positive: list, noise, latent: dict, reference: dict, settings: NoiseNursing, compared: Compared, watch=iter
) -> tuple[NursedNoise, list[NursingIteration]]:
    """The noise for a checked latent and reference, and how it was found."""
    run = reference_run(model, positive, reference, compared, noise.seed)
    gradients = NoiseGradients(model, latent["samples"], positive, compared.percent, compared.tap, compared.keep_attention)
    found, history = settings.optimise(noise.generate_noise(latent), Evaluation(gradients, run), watch)
    return NursedNoise(noise, found), history


def reference_run(model, positive: list, reference: dict, compared: Compared, seed: int) -> Trace:
    """The network call on the noised reference."""
    denoised = denoise_once(attach(model, compared.tap, observed=False), reference, positive, compared.percent, seed)
    return RUNS.find(denoised["samples"], compared.tap).trace


@dataclass(frozen=True, eq=False)
class Evaluation:
    """noise [B, C, F, h, w] -> distances [B] of its attention from the reference's, and the gradient of their sum."""

    gradients: NoiseGradients
    reference: Trace

    def __call__(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """One evaluation."""
        distance = AttentionDistance(self.reference, len(noise))
        gradient = self.gradients(noise, distance.loss)
        return distance.values, gradient
