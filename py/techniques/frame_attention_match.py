"""How far the frame attention of a network call is from that of a reference (VSTAR, appendix B, Eq. 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.attention import Attention
from ..core.errors import TemporalAttentionError
from ..core.events import CallNotes, Note
from ..core.intervention import Observer
from ..core.trace import Trace
from .estimator import Estimator
from .record import BETWEEN_FRAMES, BY_HEAD


@dataclass(frozen=True, kw_only=True)
class FrameAttentionTap(Observer):
    """Gives the frame attention [H, F, F] of every call in which frames attend to frames, as the kernel received it."""

    estimator: Estimator = field(default_factory=Estimator)

    def seen(self, call: Attention, edited: Attention) -> list[Note]:
        """One matrix a head."""
        return [Note(BY_HEAD, call.rows, self.estimator.measure(edited).matrix)] if call.site.kind in BETWEEN_FRAMES else []


class AttentionDistance:
    """||A_ref - A_t|| of each video of a batch: Frobenius norms of [F, F] differences, averaged over heads, calls and windows.

    Args:
        reference: a run of one network call (one for each context window) of a single video, with a tap on it.
        videos: how many there are in the batch.
    """

    def __init__(self, reference: Trace, videos: int):
        self._wanted: dict[tuple[int, ...] | None, list[Tensor]] = {}
        for record in reference.holding(BY_HEAD).records:
            self._wanted.setdefault(record.frames, []).append(torch.from_numpy(record.values[BY_HEAD]))
        self.values = torch.zeros(videos)

    def loss(self, calls: list[CallNotes]) -> Tensor:
        """The sum of the distances of all videos in one network call, whose share it adds to `values`."""
        forward = calls[0].forward
        notes = [note for call in calls for note in call.notes if note.name == BY_HEAD]
        wanted = self._wanted.get(forward.frames, [])
        if [note.value.shape[1:] for note in notes] != [matrix.shape for matrix in wanted]:
            raise TemporalAttentionError(
                f"as many attentions between frames as in the reference, {len(wanted)}",
                f"{len(notes)}, or different ones",
                "Use a reference with as many frames as your video, and one conditioning.",
            )
        each = [torch.linalg.matrix_norm(note.value - a.to(note.value)).mean(-1) for note, a in zip(notes, wanted, strict=True)]
        distances = torch.stack(each).mean(0) / len(self._wanted)
        samples = torch.tensor([forward.samples[row] for row in notes[0].rows])
        self.values = self.values.index_add(0, samples, distances.detach().to(self.values))
        return distances.sum()
