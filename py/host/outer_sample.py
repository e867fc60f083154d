"""The host's OUTER_SAMPLE wrapper: one sampling run is opened when the sampler starts, closed when it ends, whatever ends it."""

from __future__ import annotations

import comfy.model_patcher
import comfy.utils
from comfy.nested_tensor import NestedTensor
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor

from ..core.run import Run
from ..core.store import RUNS
from .conditionings import sides
from .families import adapter_of, blocks_of
from .guide import Guide
from .key import KEY
from .latent_optimisation import LatentOptimisation
from .live import LivePreviews
from .run_facts import run_facts
from .sampling import Sampling
from .sigma_schedule import SigmaSchedule

ARGUMENTS = ("noise", "latent_image", "sampler", "sigmas", "denoise_mask")  # of the host's outer_sample, by position


def outer_sample(executor, *args, **kwargs):
    """The host's OUTER_SAMPLE wrapper: gives the run its own state and its own copy of the model options."""
    guider = executor.class_obj
    model, options = guider.model_patcher, guider.model_options
    adapter = adapter_of(model)
    chain, blocks = options["transformer_options"][KEY], len(blocks_of(model))
    previews = LivePreviews(chain, blocks)
    run = Run(chain, adapter.family, blocks, previews.add)
    if not run.chain:
        return executor(*args, **kwargs)
    given = {**dict(zip(ARGUMENTS, args, strict=False)), **kwargs}
    schedule = SigmaSchedule(model.get_model_object("model_sampling"), given["sigmas"].tolist())
    video = tuple((given.get("latent_shapes") or [given["noise"].shape])[0])
    sampling = Sampling(run, adapter, schedule, video, sides(guider.conds))
    sampling.latents = LatentOptimisation(sampling, guider, given["sampler"], given.get("denoise_mask"), video)
    guider.model_options = comfy.model_patcher.create_model_options_clone(options)
    for i in run.chain:
        if i.has("guide"):
            comfy.model_patcher.set_model_options_post_cfg_function(guider.model_options, Guide(sampling, i))
    for kind, wrapper in ((WrappersMP.PREDICT_NOISE, sampling.predict_noise), (WrappersMP.APPLY_MODEL, sampling.apply_model)):
        add_wrapper_with_key(kind, KEY, wrapper, guider.model_options, is_model_options=True)
    try:
        latent = executor(*args, **kwargs)
        run.close()
        previews.close()
    finally:
        guider.model_options = options
    facts = run_facts(guider, run, args, kwargs)
    for observer, trace in run.traces.items():
        trace.facts = facts
        RUNS.put(_as_returned(latent, kwargs.get("latent_shapes")), observer, trace)
    return latent


def _as_returned(latent: Tensor, shapes: list | None) -> Tensor | NestedTensor:
    """What the sampler node will return: the host packs video and audio into one tensor while it samples."""
    several = shapes is not None and len(shapes) > 1
    return NestedTensor(comfy.utils.unpack_latents(latent, shapes)) if several else latent
