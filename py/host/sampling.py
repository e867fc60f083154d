"""One sampling run: opened when the sampler starts, closed when it ends, whatever ends it."""

from __future__ import annotations

import comfy.model_patcher
import comfy.utils
from comfy.nested_tensor import NestedTensor
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor

from ..core.events import Branch, Forward, Grid
from ..core.run import Run
from ..core.store import RUNS
from .families import Adapter, adapter_of, network_of, unwrapped
from .forward import ForwardScope
from .progress import Schedule

KEY = "temporal_attention"


def outer_sample(executor, *args, **kwargs):
    """The host's OUTER_SAMPLE wrapper: gives the run its own state and its own copy of the model options."""
    guider = executor.class_obj
    model, options = guider.model_patcher, guider.model_options
    adapter = adapter_of(model)
    run = Run(options["transformer_options"][KEY], adapter.family, len(adapter.blocks(network_of(model))))
    if not run.chain:
        return executor(*args, **kwargs)
    sigmas = kwargs["sigmas"] if "sigmas" in kwargs else args[3]
    sampling = Sampling(run, adapter, Schedule(model.get_model_object("model_sampling"), sigmas.tolist()), _branches(guider))
    guider.model_options = comfy.model_patcher.create_model_options_clone(options)
    for kind, wrapper in ((WrappersMP.PREDICT_NOISE, sampling.predict_noise), (WrappersMP.APPLY_MODEL, sampling.apply_model)):
        add_wrapper_with_key(kind, KEY, wrapper, guider.model_options, is_model_options=True)
    try:
        latent = executor(*args, **kwargs)
        run.close()
    finally:
        guider.model_options = options
    for observer, trace in run.traces.items():
        RUNS.put(_as_returned(latent, kwargs.get("latent_shapes")), observer, trace)
    return latent


def _as_returned(latent: Tensor, shapes: list | None) -> Tensor | NestedTensor:
    """What the sampler node will return: the host packs video and audio into one tensor while it samples."""
    several = shapes is not None and len(shapes) > 1
    return NestedTensor(comfy.utils.unpack_latents(latent, shapes)) if several else latent


class Sampling:
    """What every network call of one run needs to know."""

    def __init__(self, run: Run, adapter: Adapter, schedule: Schedule, branches: dict[object, Branch]):
        self.run, self.adapter, self.schedule, self.branches = run, adapter, schedule, branches
        self.predicted: set[tuple] = set()

    def predict_noise(self, executor, *args, **kwargs):
        """The host's PREDICT_NOISE wrapper, around all network calls of one prediction."""
        self.predicted.clear()
        return executor(*args, **kwargs)

    def apply_model(self, executor, *args, **kwargs):
        """The host's APPLY_MODEL wrapper, around every network call of the run."""
        with ForwardScope(self.run, self.adapter, unwrapped(executor.class_obj.diffusion_model), self.describe):
            return executor(*args, **kwargs)

    def describe(self, grid: Grid, batch: int, options: dict) -> Forward | None:
        """What this network call is, None where its rows are not known: the one place where a scalar leaves the device."""
        chunks = options["cond_or_uncond"]
        if batch % len(chunks):
            return None
        step = self.schedule.at(float(options["sigmas"][0]))
        each = batch // len(chunks)
        ids = options.get("uuids") or [None] * len(chunks)
        window = options.get("context_window")
        frames = _window_frames(window, grid)
        by_position = [Branch.UNCOND if index == 1 else Branch.COND for index in chunks]
        order = [self.branches.get(key, guess) for key, guess in zip(ids, by_position, strict=True)]
        return Forward(
            step,
            grid,
            branches=tuple(branch for branch in order for _ in range(each)),
            samples=tuple(range(each)) * len(chunks),
            frames=frames,
            extra=self._predicted_before(ids, window),
            total_frames=None if frames is None else window.total_frames,
        )

    def _predicted_before(self, ids: list, window) -> bool:
        """Did this prediction ask the network about all these conditionings, in this context window, before?"""
        frames = None if window is None else tuple(window.index_list)
        asked = {(key, frames) for key in ids if key is not None}
        before = bool(asked) and asked <= self.predicted
        self.predicted |= asked
        return before


def _branches(guider) -> dict[object, Branch]:
    """The guider's conditionings by their id: their position alone is not enough, guiders order them differently."""
    return {
        cond["uuid"]: Branch.UNCOND if "negative" in name else Branch.COND
        for name, conds in guider.conds.items()
        for cond in conds
        if "uuid" in cond
    }


def _window_frames(window, grid: Grid) -> tuple[int, ...] | None:
    """The latent frames of a context window, its leading anchor frame included."""
    if window is None:
        return None
    anchor = getattr(window, "causal_anchor_index", None)
    frames = (*(() if anchor is None else (anchor,)), *window.index_list)
    return frames if len(frames) == grid.frames else None
