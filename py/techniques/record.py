"""Records the frame attention of every attention call, before and after all edits: the source of every picture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..core.events import Attention, CallNotes, Note
from ..core.intervention import Observer
from .estimator import Estimator


@dataclass(frozen=True, kw_only=True)
class FrameAttentionRecorder(Observer):
    """Keeps, for each call and batch row, of the attention as the model made it:

    h_row [H]; spectrum [H, F], the eigenvalues of rho (Eq. 2) in rising order; frames [F, F], A averaged over heads;
    and the same as after.h_row, after.spectrum, after.frames where an intervention changed q or k or added a low-rank bias.
    """

    estimator: Estimator = field(default_factory=Estimator)

    def seen(self, call: Attention, edited: Attention) -> list[Note]:
        """Measures the call, and once more what the kernel received where that differs."""
        notes = self._measured(call, "")
        if any(getattr(edited, name) is not getattr(call, name) for name in ("q", "k", "low_rank")):
            notes += self._measured(edited, "after.")
        return notes

    def digest(self, calls: list[CallNotes]) -> list[CallNotes]:
        """Replaces every rho of the step by its spectrum, all in one batched eigenvalue problem a shape."""
        wanted = [note for call in calls for note in call.notes if note.name.endswith("rho")]
        spectra = dict(zip(map(id, wanted), _spectra([note.value for note in wanted]), strict=True))
        return [replace(call, notes=[_with_spectrum(note, spectra) for note in call.notes]) for call in calls]

    def _measured(self, call: Attention, prefix: str) -> list[Note]:
        measured = self.estimator.measure(call)
        values = {"h_row": measured.h_row, "rho": measured.rho, "frames": measured.matrix.mean(1)}
        return [Note(f"{prefix}{name}", call.rows, value) for name, value in values.items()]


def _with_spectrum(note: Note, spectra: dict[int, Tensor]) -> Note:
    if id(note) not in spectra:
        return note
    return replace(note, name=note.name.replace("rho", "spectrum"), value=spectra[id(note)])


def _spectra(rhos: list[Tensor]) -> list[Tensor]:
    """Eigenvalues [..., F] of each [..., F, F], solved together for all of one shape and device."""
    found: dict[int, Tensor] = {}
    for kind in {(rho.shape, rho.device) for rho in rhos}:
        same = [i for i, rho in enumerate(rhos) if (rho.shape, rho.device) == kind]
        values = torch.linalg.eigvalsh(torch.stack([rhos[i] for i in same])).clamp(min=0)
        found.update(zip(same, values, strict=True))
    return [found[i] for i in range(len(rhos))]
