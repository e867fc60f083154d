"""What Initial Noise Nursing does with its inputs: checks, the reference's attention, the search, the NOISE that comes out."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..py.core.errors import TemporalAttentionError
from ..py.core.noise import NoiseDistribution
from ..py.core.store import RUNS
from ..py.core.trace import Trace
from ..py.host.attach import attach
from ..py.host.denoise_once import denoise_once
from ..py.host.noise_gradient import NoiseGradients, prepared
from ..py.techniques.frame_attention_match import AttentionDistance, FrameAttentionTap


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
        _refuse_nested(white)
        return as_host(self.distribution.of(as_videos(white)), white)


def as_videos(x: Tensor) -> Tensor:
    """[B, C, F, h, w] as it is; [F, C, h, w], whose batch is the frames of one video, as [1, C, F, h, w]."""
    return x if x.ndim == 5 else x.movedim(0, 1).unsqueeze(0)


def as_host(videos: Tensor, like: Tensor) -> Tensor:
    """Back into the layout of `like`."""
    return videos if like.ndim == 5 else videos[0].movedim(1, 0)


def checked(model, latent: dict, reference: dict) -> tuple[dict, dict]:
    """The latent as samplers make it ready, and the reference. Raises TemporalAttentionError where they do not fit."""
    for given in (latent, reference):
        _refuse_nested(given["samples"])
    latent, reference = prepared(model, latent), prepared(model, reference)
    video, other = as_videos(latent["samples"]), as_videos(reference["samples"])
    if video.shape[2] < 2:
        raise TemporalAttentionError("a latent of at least 2 frames", "1", "A still has no attention between frames.")
    if len(other) != 1:
        raise TemporalAttentionError("one reference video", f"a batch of {len(other)}", "Take one with Latent From Batch.")
    if video.shape[1:3] != other.shape[1:3]:
        raise TemporalAttentionError(
            f"a reference of {video.shape[2]} latent frames with {video.shape[1]} channels, as the video",
            f"{other.shape[2]} frames with {other.shape[1]} channels",
            "Encode as many frames as you want to make, by this model's VAE. Width and height may differ.",
        )
    return latent, reference


def reference_run(model, positive: list, reference: dict, percent: float, seed: int, tap: FrameAttentionTap) -> Trace:
    """The network call on the noised reference."""
    denoised = denoise_once(attach(model, tap), reference, positive, percent, seed)
    return RUNS.find(denoised["samples"], tap).trace


@dataclass(frozen=True, eq=False)
class Evaluation:
    """noise [B, C, F, h, w] -> distances [B] of its attention from the reference's, and the gradient of their sum."""

    gradients: NoiseGradients
    reference: Trace
    like: Tensor

    def __call__(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """One evaluation."""
        distance = AttentionDistance(self.reference, len(noise))
        gradient = self.gradients(as_host(noise, self.like), distance.loss)
        return distance.values, as_videos(gradient)


def _refuse_nested(samples: Tensor) -> None:
    if samples.is_nested:
        raise TemporalAttentionError(
            "a latent of video alone", "video with audio", "Nurse the noise of the video without its audio."
        )
