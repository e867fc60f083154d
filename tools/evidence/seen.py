"""What experiments read off a clip of one thing."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from pack.py.demo.measure import COLOURED, chroma_of, measure

SMALL = 20  # coloured pixels; a smaller region is no thing
DRIFT = 1.4  # pixels a frame: the fastest that things move in training


def colours_by_frame(video: Tensor, colours: tuple[str, ...]) -> dict[str, Tensor]:
    """Which of these colours is there, frame by frame: [F] bool each."""
    found = measure(video)
    absent = torch.zeros(len(video), dtype=torch.bool)
    return {colour: seen.present if (seen := found.of(colour)) else absent for colour in colours}


def centres(video: Tensor) -> Tensor:
    """Centre (x, y) of what is there in each frame [F, 2] in pixels, whatever its colour; NaN where nothing is."""
    found = measure(video)
    if not found.things:
        return torch.full((len(video), 2), float("nan"))
    stacked = torch.stack([thing.centres for thing in found.things])
    weights = torch.stack([thing.radii.square() for thing in found.things]).nan_to_num(0)[..., None]
    return (stacked.nan_to_num(0) * weights).sum(0) / weights.sum(0)


def largest_jump(path: Tensor) -> float:
    """The longest way in pixels between frames in which it is seen one after the other; NaN for fewer than two such frames.

    Where it is gone in between it may drift as far as moving things go: only coming back elsewhere is a jump.
    """
    known = path.isfinite().all(-1).nonzero().flatten()
    if len(known) < 2:
        return float("nan")
    steps = (path[known[1:]] - path[known[:-1]]).norm(dim=-1)
    return float((steps - DRIFT * (known[1:] - known[:-1] - 1)).max())


def displacement(path: Tensor) -> float:
    """The way in pixels from the first to the last frame with a thing."""
    known = path[path.isfinite().all(-1)]
    return float((known[-1] - known[0]).norm()) if len(known) > 1 else float("nan")


def shared_paths(path: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both paths, NaN in every frame in which only one of them shows a thing."""
    alone = (path.isfinite() & other.isfinite()).all(-1, keepdim=True).logical_not()
    return path.masked_fill(alone, torch.nan), other.masked_fill(alone, torch.nan)


def path_length(path: Tensor) -> float:
    """The way in pixels along the path, over all neighbouring frames with a thing; NaN for fewer than two frames with one."""
    steps = (path[1:] - path[:-1]).norm(dim=-1)
    return float(steps.nansum()) if steps.isfinite().any() else float("nan")


def twice(video: Tensor) -> Tensor:
    """[F] bool: frames with more than one thing, by coloured regions that do not touch."""
    return torch.tensor([_regions(frame > COLOURED) > 1 for frame in chroma_of(video).numpy()])


def _regions(coloured: np.ndarray) -> int:
    labels, _ = ndimage.label(coloured)
    return int((np.bincount(labels.ravel())[1:] >= SMALL).sum())
