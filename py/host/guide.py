"""An intervention's guidance as the host's post-CFG function, and the extra predictions that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import comfy.samplers
from torch import Tensor

from ..core.events import Branch
from ..core.guidance import Asked, Prediction
from ..core.intervention import Intervention

if TYPE_CHECKING:
    from .sampling import Sampling

KEY_ASKED = "temporal_attention_asked"  # in the transformer options of a call that an intervention asked for
CONDS = {Branch.COND: "cond", Branch.UNCOND: "uncond"}


@dataclass(frozen=True)
class Guide:
    """Called by the host after classifier-free guidance, with its own dictionary of what it predicted."""

    sampling: Sampling
    intervention: Intervention

    def __call__(self, host: dict) -> Tensor:
        """The denoised latent as the intervention combines it."""
        step = self.sampling.schedule.at(float(host["sigma"][0]))
        if not self.intervention.window.contains(step):
            return host["denoised"]

        def ask(branch: Branch, edit: str, first: int) -> Tensor:
            return _ask(host, branch, Asked(self.intervention, edit, first))

        uncond = host["uncond_denoised"] if host["uncond"] is not None else None
        scale, memory = float(host["cond_scale"]), self.sampling.run.memory
        return self.intervention.guide(Prediction(step, host["denoised"], host["cond_denoised"], uncond, scale, ask, memory))


def _ask(host: dict, branch: Branch, asked: Asked) -> Tensor:
    """One more prediction for the conditionings of a side, by the host's own way with all that other nodes added to it."""
    options = host["model_options"].copy()
    options["transformer_options"] = {**options.get("transformer_options", {}), KEY_ASKED: asked}
    (denoised,) = comfy.samplers.calc_cond_batch(host["model"], [host[CONDS[branch]]], host["input"], host["sigma"], options)
    return denoised
