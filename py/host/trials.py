"""Runs of a model and its changed clones from the same noise, text and schedule, by the host's own guider and samplers."""

from __future__ import annotations

from dataclasses import dataclass

import comfy.model_management
import comfy.sample
import comfy.samplers
from comfy.utils import ProgressBar
from torch import Tensor

from . import latents


@dataclass(frozen=True)
class Prompts:
    """The conditionings and how strongly they guide; without a negative one there is no guidance."""

    positive: list
    negative: list | None
    cfg: float


@dataclass(frozen=True)
class Steps:
    """The host's sampler and scheduler by name."""

    count: int
    sampler: str
    scheduler: str


class Trials:
    """The same task for several models: `once` predicts at one step, `whole` samples to the end.

    An empty latent, or one with a mask, is sampled from pure noise. One that holds a video is noised to the chosen step.

    Args:
        model: decides schedule and latent; the models of the runs are clones of it.
        latent: the host's LATENT.
        percent: the step, in the host's percents of a run; the nearest one of the schedule is taken.
        whole: whether `whole` or `once` will be called, for the progress bar.
    """

    def __init__(self, model, prompts: Prompts, latent: dict, seed: int, steps: Steps, percent: float, whole: bool):
        self.prompts, self.seed, self.mask = prompts, seed, latent.get("noise_mask")
        self.latent = latents.prepared(model, latent)["samples"]
        self.noise = comfy.sample.prepare_noise(self.latent, seed, latent.get("batch_index"))
        self.sampler = comfy.samplers.sampler_object(steps.sampler)
        options = {"scheduler": steps.scheduler, "sampler": steps.sampler, "model_options": model.model_options}
        self.sigmas = comfy.samplers.KSampler(model, steps.count, model.load_device, **options).sigmas
        wanted = model.get_model_object("model_sampling").percent_to_sigma(percent)
        self.step = int((self.sigmas[:-1] - wanted).abs().argmin())
        first = 0 if latents.is_empty(self.latent) or self.mask is not None else self.step
        self.sigmas = self.sigmas[first:]
        self._one = OneStep(self.sampler, self.step - first)
        self._each, self._before = (len(self.sigmas) - 1, 0) if whole else (1, self._one.step)
        self._bar = ProgressBar(1)
        self.expect(1)

    def expect(self, runs: int) -> None:
        """Tells the progress bar how many runs there are in all."""
        self._bar.total = runs * self._each + self._before

    @property
    def sigma(self) -> float:
        """The noise level of the step."""
        return float(self.sigmas[self.recorded_step])

    @property
    def recorded_step(self) -> int:
        """The index of the step in the runs themselves: those of a noised video begin at it."""
        return self._one.step

    def once(self, model) -> Tensor:
        """The denoised prediction at the step. The first model asked makes the noisy latent that all start from.

        It does so in a run of its own: a cache that knew the steps before would answer for the network at this one.
        """
        if self._one.x is None and self._one.step:
            self._run(model, comfy.samplers.KSAMPLER(self._one.way))
        return self._run(model, comfy.samplers.KSAMPLER(self._one))

    def whole(self, model) -> Tensor:
        """The latent at the end of the run."""
        return self._run(model, self.sampler)

    def _run(self, model, sampler) -> Tensor:
        """The video latent, as sampler nodes return it."""
        guider = comfy.samplers.CFGGuider(model)
        given = {"positive": self.prompts.positive, "negative": self.prompts.negative}
        guider.inner_set_conds({name: cond for name, cond in given.items() if cond is not None})
        guider.set_cfg(1.0 if self.prompts.negative is None else self.prompts.cfg)
        latent = guider.sample(
            self.noise, self.latent, sampler, self.sigmas, self.mask, self._advance, disable_pbar=True, seed=self.seed
        )
        return latents.as_returned(latents.video_of(latent))

    def _advance(self, *_) -> None:
        """After every step: here a long sweep can be interrupted."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        self._bar.update(1)


class OneStep:
    """A sampler that stops with the prediction of one step; what came before is sampled once and kept."""

    def __init__(self, sampler: comfy.samplers.KSAMPLER, step: int):
        self.before, self.step = sampler, step
        self.x: Tensor | None = None

    def way(self, model, x: Tensor, sigmas: Tensor, extra_args: dict, callback, disable) -> Tensor:
        """Samples up to the step, by the host's own function."""
        options = {"extra_args": extra_args, "callback": callback, "disable": disable, **self.before.extra_options}
        self.x = self.before.sampler_function(model, x, sigmas[: self.step + 1], **options)
        return self.x

    def __call__(self, model, x: Tensor, sigmas: Tensor, extra_args: dict, callback, disable) -> Tensor:
        """One network prediction at the step, through guidance and all that is patched into the model."""
        if self.x is None:
            self.x = x
        sigma = sigmas[self.step]
        denoised = model(self.x, sigma * x.new_ones(len(x)), **extra_args)
        callback({"i": self.step, "x": self.x, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised})
        return denoised
