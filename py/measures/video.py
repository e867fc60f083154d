"""Five measures of a clip, a curve over its frames each, by pixels and optical flow; the consistencies also by embeddings.

Named after VBench (Huang et al. 2024), whose own networks (RAFT, AMT, DINO, CLIP) they do without, so the numbers are not
comparable with its leaderboard. They compare two clips of one workflow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .frames import parts, planes, small
from .motion import displacement, half_way, shifted
from .regions import background_consistency, moving, region_mean, standing, subject_consistency
from .similarity import Watch, embedding_consistency

FASTEST = 0.05  # share of pixels that make up the dynamic degree, as in VBench
LOOPS = 2  # over the parts of a clip, in one call of `measure`


@dataclass(frozen=True)
class Curve:
    """One measure of a clip.

    Args:
        values: [F] in percent; NaN at frames that have none, such as the first where the measure is of two frames.
        how: what it was measured by, in a few words.
    """

    values: np.ndarray
    how: str

    @property
    def mean(self) -> float:
        """Mean over the frames that have a value; NaN if none has."""
        known = self.values[np.isfinite(self.values)]
        return float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True)
class Embedded:
    """The name of a vision model and its embeddings [F, D] of a clip's whole frames."""

    model: str
    vectors: Tensor


def measure(
    images: Tensor,
    device: torch.device,
    subject: Embedded | None = None,
    background: Embedded | None = None,
    watch: Watch = iter,
) -> dict[str, Curve]:
    """The five measures of a clip [F, H, W, 3] in [0, 1], F >= 3, by name.

    Args:
        subject, background: embeddings for the two consistencies; None = by pixels.
        watch: wraps each of the LOOPS loops over parts of the clip, to show progress or to stop.
    """
    pairs = _pairs(images, device, watch)
    return {
        "flicker": _curve(pairs.flicker, "change of what stands still from the frame before"),
        "motion smoothness": _curve(_smoothness(pairs.frames, watch), "likeness to the frame that its two neighbours predict"),
        "dynamic degree": _curve(pairs.speed, "motion of the fastest 5 % of pixels, in % of the short side per frame"),
        "subject consistency": _by_embeddings(subject) if subject else _by_colours(pairs),
        "background consistency": _by_embeddings(background) if background else _by_ssim(pairs),
    }


@dataclass(frozen=True)
class _Pairs:
    """What is found in the pairs of neighbours, P = F - 1, and the frames scaled down.

    Args:
        frames: [F, 3, h, w].
        arrived: [P, 3, h, w] the later frame of each, brought half-way back.
        moves: [P, 1, h, w] bool.
        flicker, speed: [P] as shares.
    """

    frames: Tensor
    arrived: Tensor
    moves: Tensor
    flicker: Tensor
    speed: Tensor


def _pairs(images: Tensor, device: torch.device, watch: Watch) -> _Pairs:
    found = []
    for part in watch(parts(len(images) - 1, *images.shape[1:3])):
        frames = planes(images[part.start : part.stop + 1], device)
        first, second = small(frames)[:-1], small(frames)[1:]
        flow = displacement(first, second)
        moves = moving(first, second, flow)
        still = interpolate(standing(moves).float(), size=frames.shape[-2:])
        flicker = region_mean((frames[1:] - frames[:-1]).abs(), still)
        found.append((second, shifted(second, flow / 2, "bicubic"), moves, flicker, _top_speed(flow, moves)))
    later, *rest = (torch.cat(each) for each in zip(*found, strict=True))
    return _Pairs(torch.cat([small(planes(images[:1], device)), later]), *rest)


def _top_speed(flow: Tensor, moves: Tensor) -> Tensor:
    """[B] mean length of the largest 5 % of displacements, as a share of the short side."""
    lengths = (flow.norm(dim=1, keepdim=True) * moves).flatten(1)
    fastest = lengths.topk(max(1, int(FASTEST * lengths.shape[1])), dim=1).values
    return fastest.mean(1) / min(flow.shape[-2:])


def _smoothness(frames: Tensor, watch: Watch) -> Tensor:
    """[F - 1] of each frame but the first: 1 minus its mean distance from the picture half-way between its neighbours.

    The rule is VBench's, its interpolation network replaced by the displacement. NaN for the last frame.
    """
    found = []
    for part in watch(parts(len(frames) - 2, *frames.shape[-2:])):
        before, middle, after = (frames[part.start + i : part.stop + i] for i in range(3))
        predicted = half_way(before, after, displacement(before, after))
        found.append(1 - (predicted - middle).abs().mean((1, 2, 3)))
    return torch.cat([*found, found[0].new_full((1,), torch.nan)])


def _by_colours(pairs: _Pairs) -> Curve:
    return _curve(subject_consistency(pairs.arrived, pairs.moves), "colours of what moves")


def _by_ssim(pairs: _Pairs) -> Curve:
    return _curve(background_consistency(pairs.frames, standing(pairs.moves)), "SSIM of what stands still")


def _by_embeddings(clip: Embedded) -> Curve:
    return _curve(embedding_consistency(clip.vectors), f"{clip.model} embeddings of whole frames")


def _curve(shares: Tensor, how: str) -> Curve:
    """Shares [F - 1] of every frame but the first -> percent at each frame."""
    return Curve(np.concatenate([[np.nan], 100 * shares.cpu().double().numpy()]), how)
