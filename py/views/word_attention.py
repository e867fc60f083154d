"""Where a phrase draws attention, as frames of a video: a heatmap over the picture, and below it the signal against the mask."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..prompts.timed_words import TimedWords
from .figure import DOTS_PER_INCH, LIGHT, figure, shortened, to_image
from .tempo_chart import CURVE, UNWANTED
from .tempo_report import LONGEST_PHRASE
from .word_maps import grid_frame

WIDTH, STRIP = 640, 1.35  # pixels; inches
HEATMAP = "inferno"
CLEAR, STRONG = 0.05, 0.8  # how much of the picture the weakest and the strongest attention cover
CURSOR = (0.1, 0.1, 0.1)


def word_frames(maps: np.ndarray, words: TimedWords, phrase: int, images: Tensor | None = None, note: str = "") -> Tensor:
    """[T, height, 640, 3] pictures in [0, 1].

    Args:
        maps: [F, h, w] attention; the largest of the clip is the brightest.
        words, phrase: whose it is and when it is wanted.
        images: [T, H, W, 3] the decoded video; None: the heatmap alone, a picture for each frame that the video will have.
        note: added to the title.
    """
    count = len(images) if images is not None else 1 + (len(maps) - 1) * words.compression
    place = grid_frame(count, words.compression, len(maps))
    strip, cursors = _strip(maps, words, phrase, place, note)
    height = _height(maps, images)
    heat = interpolate(torch.from_numpy(maps / max(maps.max(), 1e-12))[:, None].float(), (height, WIDTH), mode="bilinear")[:, 0]
    frames = []
    for frame, (source, cursor) in enumerate(zip(place, cursors, strict=True)):
        picture = None if images is None else _scaled(images[frame], height)
        frames.append(torch.cat([_covered(picture, heat[source]), _with_cursor(strip, cursor)]))
    return torch.stack(frames)


def _height(maps: np.ndarray, images: Tensor | None) -> int:
    """An even height that keeps the aspect."""
    high, wide = images.shape[1:3] if images is not None else maps.shape[1:]
    return 2 * round(WIDTH * high / wide / 2)


def _scaled(image: Tensor, height: int) -> Tensor:
    return interpolate(image[None].movedim(-1, 1).float().cpu(), (height, WIDTH), mode="bilinear")[0].movedim(0, -1)


def _covered(picture: Tensor | None, heat: Tensor) -> Tensor:
    """[H, W, 3]: the colours of the heatmap, over the picture where there is one."""
    import matplotlib

    colours = torch.from_numpy(matplotlib.colormaps[HEATMAP](heat.numpy())[..., :3]).float()
    if picture is None:
        return colours
    cover = (CLEAR + (STRONG - CLEAR) * heat)[..., None]
    return (1 - cover) * picture[..., :3] + cover * colours


def _strip(maps: np.ndarray, words: TimedWords, phrase: int, place: np.ndarray, note: str) -> tuple[Tensor, list]:
    """The signal against the mask [h, 640, 3], and where in it (rows, columns) each video frame is."""
    signal = maps.mean((1, 2))
    latent = 1 + -(-(len(place) - 1) // words.compression)
    mask = words.masks(latent, len(maps))[phrase].numpy()
    centres = np.array([np.flatnonzero(place == f).mean() if (place == f).any() else np.nan for f in range(len(maps))])
    name = words.tempo.phrases[phrase]
    with figure(height=STRIP, title="", width=WIDTH / DOTS_PER_INCH) as drawing:
        axes = drawing.subplots()
        axes.bar(range(len(place)), mask[place], width=1.0, color=UNWANTED, label="wanted")
        axes.plot(
            centres, signal / max(signal.max(), 1e-12), color=CURVE, marker="o", markersize=3, linewidth=1.4, label="attention"
        )
        axes.set_xlim(-0.5, len(place) - 0.5)
        axes.set_ylim(0, 1.1)
        axes.set_yticks([0, 1])
        axes.set_title(f"{shortened(name, LONGEST_PHRASE)}{note}", fontsize=8)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=7, borderaxespad=0)
        axes.set_xlabel("video frame", color=LIGHT.muted, fontsize=7)
        image = to_image(drawing)[0]
        columns = axes.transData.transform([(frame, 0) for frame in range(len(place))])[:, 0].round().astype(int)
        top, bottom = (len(image) - round(edge) for edge in (axes.bbox.y1, axes.bbox.y0))
    return image, [(slice(top, bottom), slice(max(column - 1, 0), column + 1)) for column in columns.tolist()]


def _with_cursor(strip: Tensor, cursor: tuple[slice, slice]) -> Tensor:
    strip = strip.clone()
    strip[cursor] = torch.tensor(CURSOR)
    return strip
