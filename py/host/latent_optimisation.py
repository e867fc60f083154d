"""Changing the sampler's own latent before the denoiser is called: gradients for it, progress, interrupts, memory."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

import comfy.model_management
import torch
from comfy.utils import ProgressBar
from torch import Tensor

from ..core.errors import TemporalAttentionError
from ..core.events import Step
from ..core.intervention import Intervention, Observer
from ..core.latent import Iteration, LatentStep, Loss
from ..core.run import Run
from ..prompts.timed_words import same_text
from .families import network_of
from .gradients.latent import Question, latent_gradient
from .gradients.memory import peak_bytes
from .hidden_size import hidden_size
from .key_texts import KEY
from .sampler_state import OwnCalls, refuse_losing

if TYPE_CHECKING:
    from .sampling import Sampling

log = logging.getLogger("temporal_attention")


class LatentOptimisation:
    """Hands the latent to the interventions of a run that change it, at the first denoiser call of each step.

    Args:
        sampling, guider: the run.
        sampler, denoise_mask: what it samples with. Raises TemporalAttentionError where changes would be lost.
        video: shape [B, C, T, H, W] of the video's latent.
    """

    def __init__(self, sampling: Sampling, guider, sampler, denoise_mask, video: tuple[int, ...]):
        self.sampling, self.guider, self.video = sampling, guider, video
        self.acting = [i for i in sampling.run.chain if i.has("latent")]
        self._calls = OwnCalls(sampler)
        self._told = False
        if self.acting and (remark := refuse_losing(sampler, denoise_mask)):
            log.warning("%s.", remark)

    def before(self, x: Tensor, sigma: Tensor, model_options: dict) -> None:
        """Writes what the interventions make of x into it, so that the sampler goes on from there."""
        if not self.acting:
            return
        step = self.sampling.step(sigma)
        if not self._calls.comes(step):
            return
        for i in self.acting:
            if i.window.contains(step):
                changed = i.latent(self._offered(i, step, x, sigma, model_options))
                with torch.inference_mode():
                    x.copy_(changed)
                self.sampling.run.activity[id(i)].latents.add(step.index)

    def _offered(self, i: Intervention, step: Step, x: Tensor, sigma: Tensor, model_options: dict) -> LatentStep:
        steps = [s for s in self.sampling.schedule.steps() if i.window.contains(s)]
        progress = Progress(self.sampling.run, type(i).__name__, len(steps))

        def gradient(x: Tensor, tap: Observer, loss: Loss, context: Tensor | None, keep_attention: bool) -> Tensor:
            comfy.model_management.throw_exception_if_processing_interrupted()
            conds = in_force(with_text(self.guider.conds, context), sigma)
            inner = self.guider.inner_model
            return _within_memory(Question(self.sampling, inner, conds, x, sigma, model_options, tap, loss, keep_attention))

        def announce(tap: Observer, keep_attention: bool) -> None:
            if not self._told:
                self._told = True
                log.info("%s: %s.", type(i).__name__, self._needs(tap, keep_attention))

        return LatentStep(step, x, self.video, gradient, progress.record, announce)

    def _needs(self, tap: Observer, keep_attention: bool) -> str:
        """The memory that gradients will take, in words."""
        model, adapter = self.guider.model_patcher, self.sampling.adapter
        network = network_of(model)
        blocks = adapter.blocks(network)
        tapped = [number for number, block in enumerate(blocks) if any(map(tap.where.matches, block.sites))]
        grid = adapter.grid(network, torch.empty(self.video, device="meta"), {})
        if grid is None or not tapped:
            return "the memory it needs is not known here"
        width, dtype = hidden_size(blocks[tapped[-1]]), model.model.get_dtype_inference()
        needed = peak_bytes(1 + tapped[-1], self.video[0] * grid.tokens, width, dtype.itemsize, keep_attention)
        return f"gradients need about {needed / 2**30:.2f} GB besides the weights"


def _within_memory(asked: Question) -> Tensor:
    """The gradient; what holds memory is let go before the error is raised."""
    try:
        return latent_gradient(asked)
    except torch.OutOfMemoryError as error:
        said = str(error).split("\n")[0]
    raise TemporalAttentionError(
        "enough memory for a gradient through the network",
        said,
        "Turn keep_attention off, choose blocks that end earlier, use fewer or smaller frames, or sample one video at a time.",
    )


def with_text(conds: dict[str, list[dict]], context: Tensor | None) -> list[dict]:
    """The positive conditionings with this text (None: all of them). Raises TemporalAttentionError where there is none."""
    positive = [cond for name, part in conds.items() if "negative" not in name for cond in part]
    if context is None:
        return positive
    if any(KEY in cond and cond[KEY].count > 1 for cond in positive):
        raise TemporalAttentionError(
            "one text for all frames",
            "the key prompts of Video Synopsis Prompt",
            "Use either TempoControl or Video Synopsis Prompt.",
        )
    found = [c for c in positive if c.get("cross_attn") is not None and same_text(context, c["cross_attn"])]
    if not found:
        raise TemporalAttentionError(
            "the sampler's positive prompt to be the text given to TempoControl, encoded with the same CLIP",
            "another conditioning",
            "Connect the same text and the same CLIP to both; a joined or averaged conditioning no longer holds that text.",
        )
    return found


def in_force(conds: list[dict], sigma: Tensor) -> list[dict]:
    """Those whose timestep range holds at this sigma. Raises TemporalAttentionError where there is none."""
    now = float(sigma[0])
    found = [c for c in conds if c.get("timestep_end", 0.0) <= now <= c.get("timestep_start", math.inf)]
    if not found:
        raise TemporalAttentionError(
            "a prompt that is in force in all steps in which TempoControl acts",
            "one whose timestep range leaves out this step",
            "Set start_percent and end_percent inside the prompt's own range, or remove the range from the prompt.",
        )
    return found


class Progress:
    """Shows the iterations of one step on the node's bar and in the log, and keeps them for charts.

    Args:
        run: the sampling run.
        name: whose iterations.
        steps: how many steps of the run have iterations.
    """

    def __init__(self, run: Run, name: str, steps: int):
        self._run, self._name, self._steps = run, name, steps
        self._started = time.perf_counter()
        self._bar: ProgressBar | None = None

    def record(self, iteration: Iteration) -> None:
        """Raises the host's InterruptProcessingException where the user interrupted."""
        if not self._run.iterations:
            seconds = (time.perf_counter() - self._started) * iteration.most * self._steps
            log.info("%s: at most about %.0f s, %d steps of %d iterations.", self._name, seconds, self._steps, iteration.most)
        self._run.iterations.append(iteration)
        self._bar = self._bar or ProgressBar(iteration.most)
        self._bar.update_absolute(iteration.number, iteration.most)
        place = f"step {iteration.step.index + 1}, iteration {iteration.number} of {iteration.most}"
        log.info("%s, %s: %s.", self._name, place, said(iteration))
        comfy.model_management.throw_exception_if_processing_interrupted()


def said(iteration: Iteration) -> str:
    """Loss, correlations and mass ratios in words, averaged over the samples that still change."""
    rows = [row for row, running in enumerate(iteration.running) if running]
    loss, correlations, ratios = (iteration.values[name][rows].mean(0) for name in ("loss", "correlation", "mass_ratio"))
    told = [f"loss {loss:.3f}"]
    for phrase, correlation, ratio in zip(iteration.phrases, correlations, ratios, strict=True):
        timed = "wanted throughout" if math.isnan(correlation) else f"correlation {correlation:.2f}, mass ratio {ratio:.2f}"
        told.append(f"{phrase} {timed}")
    return "; ".join(told)
