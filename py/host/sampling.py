"""What all network calls of one sampling run share, and which of them an intervention sees."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from torch import Tensor

from ..core.errors import TemporalAttentionError
from ..core.events import Branch, Forward, Grid, Step
from ..core.frame_text import KeyTexts
from ..core.intervention import Intervention, Prompting
from ..core.latent_frames import LatentFrames
from ..core.run import Run
from .conditionings import Conds, branches, refuse_absent_sides, refuse_areas_over_time, tell_apart, texts
from .families import Adapter, ContextWindow, unwrapped
from .forward import ForwardScope
from .guide import KEY_ASKED
from .key_texts import collect
from .latent_optimisation import LatentOptimisation
from .prefix import Prefixes
from .sigma_schedule import SigmaSchedule
from .uncompiled import is_compiled, uncompiled

TIME = 2  # axis of a video latent


class Sampling:
    """What every network call of one run needs to know.

    Args:
        run, adapter, schedule: the run.
        video: shape of the video's latent, [B, C, T, H, W], or [T, C, H, W] where frames are a batch.
        given: the side of each conditioning by its id, as the guider was given them.
    """

    def __init__(self, run: Run, adapter: Adapter, schedule: SigmaSchedule, video: tuple[int, ...], given: dict[object, str]):
        self.run, self.adapter, self.schedule, self.video = run, adapter, schedule, video
        self._given = given
        self.branches: dict[object, Branch] = {}
        self.predicted: set[tuple] = set()
        self.prefixes = Prefixes()
        self.latents: LatentOptimisation | None = None
        self.keys: dict[object, KeyTexts] = {}
        self.texts: dict[object, Tensor] = {}
        self._handed: dict[int, int] = {}
        self._started = self._compiled = False

    def predict_noise(self, executor, x: Tensor, sigma: Tensor, model_options: dict, seed: int | None = None):
        """The host's PREDICT_NOISE wrapper, around all network calls of one prediction."""
        self.predicted.clear()
        self._handed = {key: activity.seen for key, activity in self.run.activity.items()}
        if not self._started:
            self._started = True
            refuse_absent_sides(self.run.chain, executor.class_obj, model_options)
            self._start(executor.class_obj.conds)
            self._compiled = is_compiled(model_options, executor.class_obj.inner_model.diffusion_model)
        if self.latents is not None:
            self.latents.before(x, sigma, model_options)
        try:
            return executor(x, sigma, model_options, seed)
        finally:
            self.prefixes.clear()

    def handed(self, intervention: Intervention) -> bool:
        """Was it handed an attention in this prediction?"""
        return self.run.activity[id(intervention)].seen > self._handed.get(id(intervention), 0)

    def _start(self, conds: Conds) -> None:
        """Reads the conditionings, which the host has made ready by now. Raises as `refuse_areas_over_time` and `collect`."""
        if len(self.video) == 5:
            refuse_areas_over_time(conds, self.video[TIME])
        tell_apart(conds, self._given)
        self.branches, self.keys = branches(conds), self._collected(conds)
        self.texts = texts(conds)

    def _collected(self, conds: Conds) -> dict[object, KeyTexts]:
        """Takes the key prompts of the run out of its conditionings, if anything gives them to their frames."""
        keys = {}
        if any(isinstance(i, Prompting) for i in self.run.chain):
            for name in conds:
                conds[name], found = collect(conds[name], self.adapter.side_by_side and self.video[TIME] > 1)
                keys |= found
        return keys

    def apply_model(self, executor, x: Tensor, sigma: Tensor, *args, **kwargs):
        """The host's APPLY_MODEL wrapper, around every network call of the run."""
        step = self.step(sigma)
        if not self.run.reach(step):
            return executor(x, sigma, *args, **kwargs)
        network = unwrapped(executor.class_obj.diffusion_model)
        with ExitStack() as around:
            if self._compiled:
                self.run.remark("a compiled network ran as it is written, for the nodes to act in it")
                around.enter_context(uncompiled())
            around.enter_context(ForwardScope(self.run, self.adapter, network, partial(self.describe, step), self.prefixes))
            return executor(x, sigma, *args, **kwargs)

    def step(self, sigma: Tensor) -> Step:
        """The step of a network call. The one place where a scalar leaves the device."""
        return self.schedule.at(float(sigma[0]))

    def describe(self, step: Step, grid: Grid | None, batch: int | None, options: dict) -> Forward | None:
        """What this network call is, None where its layout or its rows are not known.

        Raises TemporalAttentionError where key prompts would get lost.
        """
        chunks, asked = options["cond_or_uncond"], options.get(KEY_ASKED)
        ids = options.get("uuids") or [None] * len(chunks)
        if asked is not None:
            ids = [key for key, _ in ids]  # as `as_asked` made them
        if grid is None or batch % len(chunks):
            self._refuse_key_prompts(ids, self.adapter.passed_through(grid))
            return None
        each = batch // len(chunks)
        window = self.adapter.window(options)
        by_position = [Branch.UNCOND if index == 1 else Branch.COND for index in chunks]
        order = [self.branches.get(key, guess) for key, guess in zip(ids, by_position, strict=True)]
        if asked is not None and asked.side is not None:
            order = [asked.side] * len(chunks)
        return Forward(
            step,
            grid,
            branches=tuple(branch for branch in order for _ in range(each)),
            samples=tuple(range(each)) * len(chunks),
            latents=self._latents(grid, window),
            windowed=window is not None,
            extra=asked is not None or self._predicted_before(ids, window),
            keys=tuple(self.keys.get(key) for key in ids for _ in range(each)),
            conditionings=tuple(key for key in ids for _ in range(each)),
            texts=self.texts,
            asked=asked,
            memory=self.run.memory,
        )

    def _refuse_key_prompts(self, ids: list, why: str) -> None:
        """Raises TemporalAttentionError for a call that is passed through: of several key prompts it would read the first."""
        if any(key in self.keys for key in ids):
            raise TemporalAttentionError(
                "one prompt for all frames where network calls are passed through unchanged",
                f"several key prompts of Video Synopsis Prompt ({why})",
                "Remove whatever changes the frames or the batch, such as guides and keyframes, or use a single prompt.",
            )

    def _latents(self, grid: Grid, window: ContextWindow | None) -> LatentFrames | None:
        """The latent frames that a call sees: of a context window over time or of the whole video; None if they do not fit."""
        frames_are_a_batch = len(self.video) == 4
        if window is not None and window.axis == (0 if frames_are_a_batch else TIME):
            found = LatentFrames.of(window.places, window.total, grid.patch)
        else:
            found = LatentFrames.all(grid.frames if frames_are_a_batch else self.video[TIME], grid.patch)
        return found if len(found.held) == grid.frames else None

    def _predicted_before(self, ids: list, window: ContextWindow | None) -> bool:
        """Did this prediction ask the network about all these conditionings, in this context window, before?"""
        asked = {(key, window) for key in ids if key is not None}
        before = bool(asked) and asked <= self.predicted
        self.predicted |= asked
        return before
