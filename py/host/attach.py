"""Putting interventions on a MODEL: on a clone, in stacking order, leaving the parent as it was."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ..core.intervention import Intervention, Observer
from .families import blocks_of
from .sampling import KEY, outer_sample


def attach(model: ModelPatcher, *interventions: Intervention) -> ModelPatcher:
    """A clone of the MODEL with the interventions added after those that it has.

    Raises TemporalAttentionError where the model's family is unknown or a block number is outside its network.
    """
    count = len(blocks_of(model))
    for intervention in interventions:
        intervention.where.check(count)
    patched = _with(model, (*attached(model), *interventions))
    patched.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, outer_sample)
    return patched


def unobserved(model: ModelPatcher) -> ModelPatcher:
    """A clone without the observers, for runs that are a node's own: traces are of what the user samples."""
    return _with(model, tuple(i for i in attached(model) if not isinstance(i, Observer)))


def attached(model: ModelPatcher) -> tuple[Intervention, ...]:
    """The interventions on a MODEL, in stacking order."""
    return model.model_options["transformer_options"].get(KEY, ())


def _with(model: ModelPatcher, chain: tuple[Intervention, ...]) -> ModelPatcher:
    clone = model.clone()
    clone.model_options["transformer_options"][KEY] = chain
    return clone
