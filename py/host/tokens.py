"""Where the video is: in a sequence of tokens of some length, and in what a block returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from torch import Tensor

from ..core.events import Grid

Place = Callable[[Grid, int], "Grid | None"]  # (grid, tokens of the sequence) -> grid in that sequence, or None if it cannot be


def foretold(grid: Grid, tokens: int) -> Grid | None:
    """The sequence is exactly the one that the adapter foretold."""
    return grid if tokens == grid.tokens else None


def as_it_is(grid: Grid, tokens: int) -> Grid | None:
    """The sequence holds no video: its tokens are text."""
    return grid


def video_first(grid: Grid, tokens: int) -> Grid | None:
    """Text follows the video; how much is not known beforehand."""
    alone = grid.alone
    return replace(alone, tokens=tokens) if tokens >= alone.tokens else None


def video_last(grid: Grid, tokens: int) -> Grid | None:
    """Text and reference tokens stand before the video; how many is not known beforehand."""
    alone = grid.alone
    return replace(alone, tokens=tokens, start=tokens - alone.tokens) if tokens >= alone.tokens else None


@dataclass(frozen=True)
class Output:
    """How a block's output holds the video tokens.

    Args:
        read: (output, grid) -> video tokens [B, F * S, C], or None where the output has another layout.
        write: (output, grid, video tokens) -> a new output with these tokens.
        batch: the axis of the batch in every tensor of the output, None where there is no such axis.
    """

    read: Callable[[object, Grid], Tensor | None]
    write: Callable[[object, Grid, Tensor], object]
    batch: int | None = 0

    def rows(self, out: object, rows: tuple[int, ...]) -> object:
        """The output for some neighbouring batch rows (views)."""
        if self.batch is None:
            return out
        if isinstance(out, Tensor):
            return out.narrow(self.batch, rows[0], len(rows))
        return type(out)(self.rows(part, rows) for part in out)


def sequence(place: Place) -> Output:
    """A tensor [B, L, C] in which the video stands where `place` says."""

    def read(out: Tensor, grid: Grid) -> Tensor | None:
        found = place(grid, out.shape[1])
        return None if found is None else out[:, found.video]

    def write(out: Tensor, grid: Grid, video: Tensor) -> Tensor:
        span = place(grid, out.shape[1]).video
        if video.shape == out.shape:
            return video
        return torch.cat([out[:, : span.start], video, out[:, span.stop :]], dim=1)

    return Output(read, write)


def axes(pattern: str) -> Output:
    """A tensor with an axis each for t, h, w, b and c, such as "t h w b c"."""

    def read(out: Tensor, grid: Grid) -> Tensor | None:
        sizes = dict(zip(pattern.split(), out.shape, strict=True))
        if (sizes["t"], sizes["h"], sizes["w"]) != (grid.frames, grid.height, grid.width):
            return None
        return rearrange(out, f"{pattern} -> b (t h w) c")

    def write(out: Tensor, grid: Grid, video: Tensor) -> Tensor:
        return rearrange(video, f"b (t h w) c -> {pattern}", t=grid.frames, h=grid.height, w=grid.width)

    return Output(read, write, batch=pattern.split().index("b"))


def unbatched(inner: Output) -> Output:
    """The same without the axis of the batch: for networks that take one video at a time."""
    return Output(
        read=lambda out, grid: inner.read(out[None], grid),
        write=lambda out, grid, video: inner.write(out[None], grid, video)[0],
        batch=None,
    )


def first_of(inner: Output) -> Output:
    """A tuple whose first entry holds the video; the others (text, audio) are left alone."""
    return Output(
        read=lambda out, grid: inner.read(out[0], grid),
        write=lambda out, grid, video: (inner.write(out[0], grid, video), *out[1:]),
    )
