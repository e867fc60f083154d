"""An intervention's guidance as the host's post-CFG function, and the extra predictions that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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
        asked: Asked | None = host["model_options"]["transformer_options"].get(KEY_ASKED)
        step = self.sampling.step(host["sigma"])
        if not self.intervention.window.contains(step) or (asked and asked.owner is not self.intervention):
            return host["denoised"]
        if not self.sampling.handed(self.intervention):
            return host["denoised"]  # a cache answered: its error would be taken for the effect of an edit

        def ask(branch: Branch, edit: str, first: int) -> Tensor:
            return _ask(host, branch, Asked(self.intervention, edit, branch, first))

        self.sampling.run.activity[id(self.intervention)].combined = True
        uncond = host["uncond_denoised"] if host["uncond"] is not None else None
        scale, memory = float(host["cond_scale"]), self.sampling.run.memory
        given = step, host["denoised"], host["cond_denoised"], uncond, scale, self._window, ask, memory
        return self.intervention.guide(Prediction(*given))

    @cached_property
    def _window(self) -> int:
        """How many steps of the run are in the intervention's window."""
        return sum(map(self.intervention.window.contains, self.sampling.schedule.steps()))


def _ask(host: dict, branch: Branch, asked: Asked) -> Tensor:
    """One more prediction for the conditionings of a side, by the host's own way with all that other nodes added to it."""
    conds, options = as_asked(asked, host[CONDS[branch]], host["model_options"])
    (denoised,) = comfy.samplers.calc_cond_batch(host["model"], [conds], host["input"], host["sigma"], options)
    return denoised


def as_asked(asked: Asked, conds: list[dict], model_options: dict) -> tuple[list[dict], dict]:
    """Conditionings and model options for a prediction that is not the sampler's own.

    Caches such as EasyCache know predictions by the ids of their conditionings: this one must not pass for the plain one.
    """
    options = {**model_options.get("transformer_options", {}), KEY_ASKED: asked}
    own_ids = [{**cond, "uuid": (cond["uuid"], asked)} for cond in conds]
    return own_ids, {**model_options, "transformer_options": options}
