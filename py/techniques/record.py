"""Records the frame attention of every attention call, before and after all edits, and the entropy and energy of its pattern."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..core.attention import Attention
from ..core.checks import at_least
from ..core.events import CallNotes, Note
from ..core.intervention import Observer
from ..maths.pattern_entropy import energy
from .estimator import Estimator
from .pattern import SQUARE, PatternEntropy, identity, uniform

log = logging.getLogger("temporal_attention")

BY_HEAD = "frames_by_head"
SOLVERS = ("cpu", "cuda")  # devices on which PyTorch finds eigenvalues
BETWEEN_FRAMES = frozenset({"self", "joint", "temporal"})  # kinds in which one frame attends to another


@dataclass(frozen=True)
class HeadsKept:
    """Where the matrices of single heads are kept: in these blocks, at these steps (None = all)."""

    blocks: frozenset[int]
    steps: frozenset[int] | None = None

    def keeps(self, call: Attention) -> bool:
        """Is this call among them?"""
        return call.site.block in self.blocks and (self.steps is None or call.forward.step.index in self.steps)

    def size(self, call: Attention, frames: int) -> str:
        """What they take in a whole run, in words: the batch and heads are those of a call."""
        total = call.forward.step.total
        steps = total if self.steps is None else sum(step < total for step in self.steps)
        rows, heads = call.q.shape[:2]
        megabytes = len(self.blocks) * steps * rows * heads * frames**2 * 4 / 1e6
        each = f"{len(self.blocks)} blocks x {steps} steps x {rows} batch rows x {heads} heads of {frames} x {frames} numbers"
        return f"{each} take {megabytes:.1f} MB, and the same again where a technique acts"


@dataclass(frozen=True, kw_only=True)
class FrameAttentionRecorder(Observer):
    """Keeps, for each call and batch row in which frames attend to frames, of the attention as the model made it:

    h_row [H]; spectrum [H, F], the eigenvalues of rho (Eq. 2) in rising order; frames [F, F], A averaged over heads;
    and the same as after.h_row, after.spectrum, after.frames where an intervention changed q or k or added a low-rank bias.

    With `entropy_rows` of at least 1 also, for calls of every kind in `where`: entropy [H], the mean row entropy of the pattern
    as the model made it, from so many rows of each head; and energy [3], those of AV (what the kernel returned), UV and IV over
    heads and video tokens, NaN for IV where the keys are no video.

    With `heads` also, for the calls in it: frames_by_head [H, F, F], A of every head; how much that is goes to the log first.
    """

    estimator: Estimator = field(default_factory=Estimator)
    entropy_rows: int = 0
    heads: HeadsKept | None = None

    def __post_init__(self):
        at_least("entropy_rows", self.entropy_rows, 0, "0 measures no entropy, 64 are enough.")

    def seen(self, call: Attention, edited: Attention) -> list[Note]:
        """Measures the call, and once more what the kernel received where that differs."""
        notes = self._pattern(call, edited) if self.entropy_rows else []
        if call.site.kind not in BETWEEN_FRAMES:
            return notes
        notes += self._measured(call, "")
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
        if self.heads is not None and self.heads.keeps(call):
            if self.heads not in call.forward.memory:
                call.forward.memory[self.heads] = True
                log.info("Trace Attention keeps matrices head by head: %s.", self.heads.size(call, call.forward.grid.frames))
            values[BY_HEAD] = measured.matrix
        return [Note(f"{prefix}{name}", call.rows, value) for name, value in values.items()]

    def _pattern(self, call: Attention, edited: Attention) -> list[Note]:
        entropy = PatternEntropy(self.entropy_rows).measure(call)
        return [Note("entropy", call.rows, entropy), Note("energy", call.rows, _energies(edited))]


def _energies(call: Attention) -> Tensor:
    """[B, 3]: E(AV), E(UV), E(IV) of the video rows."""
    video = call.forward.grid.video
    mean = uniform(call)
    shared_by = call.out[:, :, video].shape[2] // mean.shape[2]
    own = energy(identity(call)) if call.site.kind in SQUARE else mean.new_full((len(call.rows),), math.nan)
    return torch.stack([energy(call.out[:, :, video]), shared_by * energy(mean), own], dim=-1)


def _with_spectrum(note: Note, spectra: dict[int, Tensor]) -> Note:
    if id(note) not in spectra:
        return note
    return replace(note, name=note.name.replace("rho", "spectrum"), value=spectra[id(note)])


def _spectra(rhos: list[Tensor]) -> list[Tensor]:
    """Eigenvalues [..., F] of each [..., F, F], solved together for all of one shape and device.

    On the CPU where they are on neither a CPU nor a CUDA device: PyTorch has no solver for Apple's GPUs.
    """
    found: dict[int, Tensor] = {}
    for kind in {(rho.shape, rho.device) for rho in rhos}:
        same = [i for i, rho in enumerate(rhos) if (rho.shape, rho.device) == kind]
        matrices = torch.stack([rhos[i] for i in same])
        solvable = matrices if matrices.device.type in SOLVERS else matrices.cpu()
        values = torch.linalg.eigvalsh(solvable).clamp(min=0)
        found.update(zip(same, values, strict=True))
    return [found[i] for i in range(len(rhos))]
