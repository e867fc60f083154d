"""The gradient of a loss on how a network attends at a later noise level, with respect to the noise that a run starts from."""

from __future__ import annotations

from dataclasses import dataclass

import comfy.samplers
import torch
from torch import Tensor

from ..core.errors import TemporalAttentionError
from ..core.events import Forward
from ..core.intervention import Intervention, Observer
from ..core.latent import LatentStep, Loss
from .attach import attach
from .denoise_once import sigma_at


class NoiseGradients:
    """d loss / d noise, where the loss is of a network call at x_t, one step of Euler's method from x_T:

    x_t = D + sigma_t / sigma_T (x_T - D), D = the model's prediction at x_T = the noised latent. D is held constant, so
    dx_t / dnoise = sigma_t / sigma_T dx_T / dnoise. No guidance.

    Args:
        latent: [B, C, F, h, w], as `comfy.sample.sample` takes it.
        percent: the host's own percent of t.
        tap: as in `gradients.latent.Question`.
        keep_attention: keep one output a block, so that attention runs once less.
    """

    def __init__(self, model, latent: Tensor, positive: list, percent: float, tap: Observer, keep_attention: bool):
        sampling = model.get_model_object("model_sampling")
        first, later = float(sampling.sigma_max), sigma_at(model, percent)
        self._sigmas = torch.tensor([first, later, 0.0] if later < first else [first, 0.0])
        noised = sampling.noise_scaling(self._sigmas[:1], torch.ones(1), torch.zeros(1), max_denoise=True)
        self._share = float(noised) * later / first
        self._model, self._latent, self._positive = model, latent, positive
        self._tap, self._keep_attention, self._told = tap, keep_attention, False

    def __call__(self, noise: Tensor, loss: Loss) -> Tensor:
        """The gradient at a noise of the latent's shape. Raises what a run raises, and where the tap finds nothing."""
        take = NoiseGradient(tap=self._tap, loss=loss, keep_attention=self._keep_attention, tell=not self._told)
        self._told = True
        guider = comfy.samplers.CFGGuider(attach(self._model, take, observed=False))
        guider.inner_set_conds({"positive": self._positive})
        try:
            guider.sample(noise, self._latent, comfy.samplers.sampler_object("euler"), self._sigmas, disable_pbar=True, seed=0)
        except _Found as found:
            return found.gradient.to(noise) * self._share
        raise TemporalAttentionError("a run that calls the model", "one that does not", "Remove nodes that skip steps.")


class _Found(Exception):
    """The gradient was taken: the rest of the run is of no use."""

    def __init__(self, gradient: Tensor):
        super().__init__("the gradient was taken")
        self.gradient = gradient


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseGradient(Intervention):
    """Takes the gradient before the last step and ends the run."""

    tap: Observer
    loss: Loss
    keep_attention: bool
    tell: bool

    def concerns(self, forward: Forward) -> bool:
        """It acts before network calls, never inside."""
        return False

    def latent(self, latent: LatentStep) -> Tensor:
        """Leaves the steps before the last one alone."""
        if latent.step.index + 1 < latent.step.total:
            return latent.x
        if self.tell:
            latent.announce(self.tap, self.keep_attention)
        raise _Found(latent.gradient(latent.x, self.tap, self.loss, None, self.keep_attention))
