"""The losses of one evaluation of TempoControl, sample by sample, over all network calls that it takes."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from ..core.events import CallNotes
from ..maths.tempo_losses import TempoLosses, tempo_losses
from ..prompts.timed_words import TimedWords

MEASURES = ("correlation", "magnitude", "entropy", "mass_ratio")


class Evaluation:
    """Collects what each network call of an evaluation tells: one, or one for each context window.

    Args:
        words: the phrases and their masks.
        latent_frames: of the whole video.
        samples: how many there are in the batch.
        weights: lambda 1 and 2.
        wanted_mass: as `tempo_losses` has it.
    """

    def __init__(
        self, words: TimedWords, latent_frames: int, samples: int, weights: tuple[float, float], wanted_mass: float
    ):  # fmt: skip
        self._words, self._frames, self._samples = words, latent_frames, samples
        self._weights, self._wanted_mass = weights, wanted_mass
        self._found: list[tuple[tuple[int, ...], TempoLosses, Tensor]] = []

    def loss(self, calls: list[CallNotes]) -> Tensor:
        """The sum of the losses of all samples in one network call; the pattern is averaged over its blocks."""
        notes = [note for call in calls for note in call.notes if note.name == "words"]
        attention = torch.stack([note.value.flatten(3) for note in notes]).mean(0)
        forward = calls[0].forward
        masks = forward.latents.mean(self._words.masks(self._frames)).to(attention.device)
        losses = tempo_losses(attention, masks, self._wanted_mass)
        total = losses.total(*self._weights)
        self._found.append((tuple(forward.samples[row] for row in notes[0].rows), losses.detached(), total.detach()))
        return total.sum()

    @property
    def values(self) -> dict[str, np.ndarray]:
        """loss [samples]; correlation, magnitude, entropy, mass_ratio [samples, phrases], NaN where the mask has none."""
        gathered = defaultdict(lambda: [[] for _ in range(self._samples)])
        for samples, losses, total in self._found:
            columns = {name: getattr(losses, name) for name in MEASURES} | {"loss": total}
            for name, judged in (("correlation", losses.timed), ("mass_ratio", losses.contrasted)):
                columns[name] = torch.where(judged, columns[name], torch.nan)
            for name, column in columns.items():
                for sample, value in zip(samples, column.float().cpu().numpy(), strict=True):
                    gathered[name][sample].append(value)
        return {name: np.stack([np.mean(parts, axis=0) for parts in rows]) for name, rows in gathered.items()}

    def satisfied(self, correlation: float, mass_ratio: float | None) -> list[bool]:
        """Which samples have enough in every network call."""
        enough = [True] * self._samples
        for samples, losses, _ in self._found:
            for sample, good in zip(samples, losses.satisfied(correlation, mass_ratio).tolist(), strict=True):
                enough[sample] &= good
        return enough
