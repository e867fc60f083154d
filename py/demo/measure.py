"""Reads a clip of the demo world back from its pixels: what is where in every frame, and whether all that a prompt said is true.

Exact for rendered clips; blurred ones (through the codec, or generated) are read by matching against the world's own shapes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from scipy.stats import theilslopes
from torch import Tensor

from .world import COLOURS, DISTANCES, EDGE, GRAYS, MOTIONS

COLOURED = 0.3  # max - min of a pixel's RGB from which it belongs to a thing; every background is gray
SMALLEST_AREA = 30  # pixels; the smallest thing covers about 60
FEWEST_FRAMES = 3  # in which a thing must be present to be judged
SPEED = 0.5  # pixels a frame from which it moves; moving things have 1.0 to 1.4
GROWTH = 0.011  # of the radius a frame from which it grows; growing things have 0.022
STRIPES = 0.07  # standard deviation of a frame's background from which it is striped; stripes have 0.14


@dataclass(frozen=True)
class Seen:
    """One colour of a clip: frames where it is present [F], its centres (x, y) [F, 2] and radii [F] in pixels, shape and motion.

    Centres and radii are NaN where it is absent. A colour that is present in fewer than 3 frames is not seen at all.
    """

    colour: str
    present: Tensor
    centres: Tensor
    radii: Tensor
    shape: str
    motion: str


@dataclass(frozen=True)
class Measured:
    """What a clip shows: its things from the most to the least present, its background, and how much that flickers.

    `flicker`: mean absolute change of brightness between frames, on pixels that are background in both, in [0, 1].
    """

    things: tuple[Seen, ...]
    background: str
    flicker: float

    def of(self, colour: str) -> Seen | None:
        """The thing of this colour, None if it is not seen."""
        return next((thing for thing in self.things if thing.colour == colour), None)


def measure(video: Tensor) -> Measured:
    """Video [F, H, W, 3] in [0, 1], as ComfyUI's IMAGE batches."""
    video = video.clamp(0, 1).float()
    chroma = chroma_of(video)
    nearest = _nearest_colour(video)
    things = []
    for index, colour in enumerate(COLOURS):
        present = ((chroma > COLOURED) & (nearest == index)).sum((1, 2)) >= SMALLEST_AREA
        if present.sum() >= FEWEST_FRAMES:
            full = max(COLOURS[colour]) - min(COLOURS[colour])
            things.append(_seen(colour, present, (chroma / full).clamp(0, 1) * (nearest == index)))
    things.sort(key=lambda thing: -int(thing.present.sum()))
    return Measured(tuple(things), *_background(video.mean(-1), chroma < COLOURED / 3))


def chroma_of(video: Tensor) -> Tensor:
    """[..., 3] -> [...] max - min of the RGB values: 0 on every background."""
    return video.amax(-1) - video.amin(-1)


def _nearest_colour(video: Tensor) -> Tensor:
    """[F, H, W] index of the colour word whose hue is nearest: by the angle between the RGB values without their gray part."""
    palette = torch.tensor(list(COLOURS.values()))
    hues = torch.nn.functional.normalize(palette - palette.mean(-1, keepdim=True), dim=-1)
    return ((video - video.mean(-1, keepdim=True)) @ hues.T.to(video)).argmax(-1)


def _seen(colour: str, present: Tensor, coverage: Tensor) -> Seen:
    """`coverage` [F, H, W]: share of each pixel that the thing covers."""
    area = coverage.sum((1, 2)).clamp(min=1e-6)
    place_y, place_x = ((torch.arange(size) + 0.5).to(coverage) for size in coverage.shape[1:])
    x, y = (coverage.sum(1) * place_x).sum(-1) / area, (coverage.sum(2) * place_y).sum(-1) / area
    absent = torch.where(present, 0.0, torch.nan)
    centres = torch.stack([x, y], dim=-1) + absent[:, None]
    shapes, radii = _best_shapes(coverage[present], x[present], y[present], area[present])
    shape = Counter(shapes).most_common(1)[0][0]
    by_frame = absent.clone()
    by_frame[present] = radii[list(DISTANCES).index(shape)]
    return Seen(colour, present, centres, by_frame, shape, _motion(present, centres, by_frame))


def _best_shapes(coverage: Tensor, x: Tensor, y: Tensor, area: Tensor) -> tuple[list[str], Tensor]:
    """Shape of each frame, by the overlap with that shape of equal area at the same place; and radii by shape [shapes, F]."""
    place_y, place_x = ((torch.arange(size) + 0.5).to(coverage) for size in coverage.shape[1:])
    across, down = place_x[None, None, :] - x[:, None, None], place_y[None, :, None] - y[:, None, None]
    overlaps, radii = [], []
    for distance in DISTANCES.values():
        radius = torch.sqrt(area / _unit_area(distance))
        drawn = (0.5 - distance(across, down, radius[:, None, None]) / EDGE).clamp(0, 1)
        overlaps.append(torch.minimum(drawn, coverage).sum((1, 2)) / torch.maximum(drawn, coverage).sum((1, 2)))
        radii.append(radius)
    names = list(DISTANCES)
    return [names[index] for index in torch.stack(overlaps).argmax(0).tolist()], torch.stack(radii)


def _unit_area(distance) -> float:
    """Area of a shape of radius 1, by counting points of a fine grid."""
    side = torch.linspace(-2, 2, 801)
    return float((distance(side[None, :], side[:, None], torch.ones(())) < 0).sum()) * (4 / 800) ** 2


def _motion(present: Tensor, centres: Tensor, radii: Tensor) -> str:
    frames = present.nonzero().flatten()

    def slope(values: Tensor) -> float:
        """Per frame; the median over pairs of frames, since the codec blurs the first and the last ones."""
        return theilslopes(values[frames].cpu().numpy(), frames.cpu().numpy())[0]

    across, down, growth = slope(centres[:, 0]), slope(centres[:, 1]), slope(radii.log())
    if max(abs(across), abs(down)) > SPEED:
        axis = (1 if across > 0 else -1, 0) if abs(across) > abs(down) else (0, 1 if down > 0 else -1)
        return next(word for word, direction in MOTIONS.items() if direction == axis)
    if abs(growth) > GROWTH:
        return "grows" if growth > 0 else "shrinks"
    return "still"


def _background(brightness: Tensor, empty: Tensor) -> tuple[str, float]:
    """Brightness and a mask of background pixels, both [F, H, W] -> (word of most frames, flicker)."""
    names = Counter(_one_background(frame[where]) for frame, where in zip(brightness, empty, strict=True))
    both = empty[1:] & empty[:-1]
    changes = (brightness[1:] - brightness[:-1]).abs()[both]
    return names.most_common(1)[0][0], float(changes.mean()) if changes.numel() else 0.0


def _one_background(pixels: Tensor) -> str:
    if pixels.numel() > 1 and pixels.std() > STRIPES:
        return "striped"
    middle = float(pixels.median()) if pixels.numel() else 0.0
    return min(GRAYS, key=lambda name: abs(GRAYS[name] - middle))
