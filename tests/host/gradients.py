"""What tests of gradients share: a tap on the text's attention, a loss of it, and a call from inside a sampling run."""

from dataclasses import dataclass, field

import torch
from families import sample

from pack.py.core.events import Note
from pack.py.core.intervention import Observer, Where
from pack.py.host.attach import attach
from pack.py.host.gradients.latent import Question, latent_gradient
from pack.py.host.sampling import Sampling
from pack.py.maths.word_columns import softmax_columns


@dataclass(frozen=True, kw_only=True)
class Tap(Observer):
    """Notes the columns of two text tokens in the video rows of cross and joint attention: [B, N, 2], averaged over heads."""

    where: Where = field(default_factory=lambda: Where(frozenset({"cross", "joint"})))
    video_first: bool = False

    def seen(self, call, edited):
        if call.site.keys == "image":
            return []
        grid = call.forward.grid
        first = 0 if call.site.kind == "cross" or not self.video_first else grid.video.stop
        rows = edited.q if call.site.kind == "cross" else edited.q[:, :, grid.video]
        bias = None if call.site.kind == "joint" else edited.bias
        columns = softmax_columns(rows, edited.k, (first + 1, first + 2), edited.scale, bias)
        return [Note("columns", call.rows, columns.mean(1))]


def loss_of(calls):
    """A scalar to which every row of every tapped column contributes with another weight."""
    total = 0
    for number, call in enumerate(calls, 1):
        for note in call.notes:
            if note.name == "columns":
                weights = torch.linspace(-1, 1, note.value.numel(), dtype=torch.float64).sin()
                total = total + number * (note.value.double().flatten() * weights).sum()
    return total


def in_a_run(monkeypatch, tiny, model, action, *interventions, **options):
    """Samples two steps; before the first network call runs action(gradient), and returns what that returns.

    gradient(x=None, tap=..., loss=..., ...) is the loss and `latent_gradient`, with all else of its question taken from the run.
    """
    found = []

    def predict_noise(self, executor, x, timestep, model_options, seed=None):
        guider = executor.class_obj

        def gradient(at=None, tap=None, loss=loss_of, **more):
            tap = tap or Tap(video_first=self.adapter.family == "Mochi")
            start = x if at is None else at
            conds, losses = guider.conds["positive"], []

            def kept(calls):
                losses.append(loss(calls))
                return losses[-1]

            inner = guider.inner_model
            found = latent_gradient(Question(self, inner, conds, start, timestep, model_options, tap, kept, **more))
            return sum(each.detach() for each in losses), found

        if not found:
            found.append(action(gradient, x))
        return executor(x, timestep, model_options, seed)

    monkeypatch.setattr(Sampling, "predict_noise", predict_noise)
    interventions = interventions or (Tap(),)
    sample(tiny, attach(model, *interventions), steps=2, **options)
    return found[0]
