"""A guider that denoises a source and a target side by side: pairs of rows in one batch, from the same noise."""

from __future__ import annotations

import logging
from collections.abc import Callable

import comfy.samplers
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..core.errors import TemporalAttentionError
from ..core.guidance import Asked
from ..core.intervention import Intervention
from ..core.store import RUNS
from .edit_prompts import refuse_unlike, side_by_side, unlike_lengths
from .guide import as_asked
from .latents import refuse_all_but_video
from .sampler_state import unlike_noise

log = logging.getLogger("temporal_attention")

SOURCE, TARGET = "source", "target"


class EditGuider(comfy.samplers.CFGGuider):
    """Takes and returns latents of the normal batch; inside, row 2 i is the source of row 2 i + 1.

    Args:
        model_patcher: the MODEL; what it does with the pairs is its interventions' matter.
        measures: an intervention that chooses by what it sees of a first prediction, which is then made again; or None.
        keep: mask [F or 1, H, W], 1 where the target may change; elsewhere it is predicted as its source. None = everywhere.
    """

    def __init__(self, model_patcher, measures: Intervention | None, keep: Tensor | None):
        super().__init__(model_patcher)
        self.measures, self.keep = measures, keep
        self._started = False
        self._changing: Tensor | None = None  # `keep` at the size of this run's latent

    def set_prompts(self, source: list, target: list, negative: list, cfg: float) -> None:
        """The conditionings. Raises TemporalAttentionError where source and target cannot be sampled as one."""
        for name, conds in ((SOURCE, source), (TARGET, target)):
            if len(conds) != 1:
                raise TemporalAttentionError(
                    f"one conditioning as {name}", f"{len(conds)} combined", "Connect a single prompt, without schedules."
                )
        refuse_unlike(source[0][1], target[0][1])
        self.inner_set_conds({SOURCE: source, TARGET: target, "negative": negative})
        self.set_cfg(cfg)

    def sample(
        self, noise: Tensor, latent_image: Tensor, sampler, sigmas: Tensor, denoise_mask=None, callback: Callable | None = None,
        disable_pbar=False, seed=None,
    ) -> Tensor:  # fmt: skip
        """The edited latents [B, C, F, h, w]."""
        refuse_all_but_video(latent_image, "Edit the video without its audio.")
        if said := unlike_noise(sampler):
            log.warning("Entropy Edit: %s.", said)
        self._started = False
        pairs = noise.repeat_interleave(2, 0), latent_image.repeat_interleave(2, 0)
        mask = None if denoise_mask is None else denoise_mask.repeat_interleave(2, 0)
        shown = callback and (lambda step, x0, x, total: callback(step, x0[1::2], x[1::2], total))
        made = super().sample(*pairs, sampler, sigmas, mask, shown, disable_pbar, seed)
        RUNS.move(made, made[1::2])
        return made[1::2]

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: dict | None = None, seed=None) -> Tensor:
        """Denoised pairs, the source's own outside of the mask."""
        if not self._started:
            self._started = True
            self._changing = None if self.keep is None else _fitted(self.keep, x)
            prompts = self.conds.pop(SOURCE)[0], self.conds.pop(TARGET)[0]
            self.conds["positive"] = [side_by_side(*prompts)]
            if said := unlike_lengths(*prompts):
                log.warning("Entropy Edit: %s.", said)
            if self.measures:
                self._measure(x, timestep, model_options or {}, seed)
        denoised = super().predict_noise(x, timestep, model_options or {}, seed)
        if self._changing is not None:
            denoised[1::2] = torch.lerp(denoised[::2], denoised[1::2], self._changing.to(denoised))
        return denoised

    def _measure(self, x: Tensor, timestep: Tensor, model_options: dict, seed) -> None:
        """A prediction for the intervention that measures, and for nobody else."""
        own, asked = self.conds, Asked(self.measures, "measure")
        self.conds = {name: as_asked(asked, conds, model_options)[0] for name, conds in own.items()}
        super().predict_noise(x, timestep, as_asked(asked, [], model_options)[1], seed)
        self.conds = own


def _fitted(mask: Tensor, x: Tensor) -> Tensor:
    """A mask [F or 1, H, W] at the size of latents [B, C, f, h, w]: [1, 1, f, h, w]."""
    if mask.shape[-3:] != x.shape[-3:]:
        log.info("Entropy Edit resizes the mask from %s to %s.", list(mask.shape[-3:]), list(x.shape[-3:]))
    return interpolate(mask[None, None].float(), size=x.shape[-3:], mode="trilinear").to(x.device)
