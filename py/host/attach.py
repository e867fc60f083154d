"""Putting interventions on a MODEL: on a clone, in stacking order, leaving the parent as it was."""

from __future__ import annotations

from dataclasses import replace
from weakref import ref

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ..core.intervention import Intervention, Observer
from .families import blocks_of
from .key import KEY
from .outer_sample import outer_sample


def attach(model: ModelPatcher, *interventions: Intervention, observed: bool = True) -> ModelPatcher:
    """A clone of the MODEL with the interventions added after those that it has.

    Without `observed` its observers are left out, for runs that are a node's own: traces are of what the user samples. It is all
    one clone: of a clone of a clone that die together the host says that memory leaks.
    Raises TemporalAttentionError where the model's family is unknown or a block number is outside its network.
    """
    count = len(blocks_of(model))
    for intervention in interventions:
        intervention.where.check(count)
    kept = [i for i in attached(model) if observed or not isinstance(i, Observer)]
    patched = _with(model, (*kept, *interventions))
    patched.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, outer_sample)
    return patched


def recording(model: ModelPatcher, recorder: Observer) -> Observer:
    """The recorder as it is to be put on this MODEL: told apart from an equal one on another network."""
    return replace(recorder, network=ref(model.model))


def attached(model: ModelPatcher) -> tuple[Intervention, ...]:
    """The interventions on a MODEL, in stacking order."""
    return model.model_options["transformer_options"].get(KEY, ())


def _with(model: ModelPatcher, chain: tuple[Intervention, ...]) -> ModelPatcher:
    clone = model.clone()
    clone.model_options["transformer_options"][KEY] = chain
    return clone
