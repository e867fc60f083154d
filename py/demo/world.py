"""The demo world: clips of one or two coloured shapes that move, grow or rest on a plain or striped background.

When a shape appears and vanishes is drawn at random and never said in the caption: timing is a free variable of the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

FRAMES, SIZE = 33, 64  # frames of a clip, pixels of its sides
EDGE = 1.5  # pixels over which the edge of a shape fades

COLOURS = {"red": (0.92, 0.12, 0.12), "green": (0.10, 0.78, 0.18), "blue": (0.15, 0.25, 0.95), "yellow": (0.95, 0.85, 0.10)}
SHAPES = ("circle", "square", "triangle")
MOTIONS = {"still": (0, 0), "left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "grows": (0, 0), "shrinks": (0, 0)}
GRAYS = {"black": 0.06, "gray": 0.45, "white": 0.92}
BACKGROUNDS = (*GRAYS, "striped")
SMALLEST, LARGEST = 8.0, 11.0  # radius in pixels; a shape that grows or shrinks goes from 0.7 to 1.4 of its radius
# (colour, shape, motion) never trained on, so that it can be measured whether the model puts words together anew
HELD_OUT = {
    ("red", "triangle", "left"), ("red", "triangle", "right"), ("blue", "circle", "left"), ("blue", "circle", "right"),
    ("green", "square", "up"), ("yellow", "triangle", "down"), ("green", "circle", "grows"), ("red", "square", "still"),
}  # fmt: skip
SHARE_CHANGING = 0.02  # clips whose colour or background changes midway, unsaid, so that such changes are possible at all


@dataclass(frozen=True)
class Thing:
    """One shape: colour words by frame half, its motion, radius, first position, pixels a frame, and when it is there."""

    colours: tuple[str, str]
    shape: str
    motion: str
    radius: float
    start: tuple[float, float]
    speed: float
    appears: int = 0
    vanishes: int = FRAMES


@dataclass(frozen=True)
class Clip:
    """Things from front to back, and the backgrounds of the first and second half."""

    things: tuple[Thing, ...]
    backgrounds: tuple[str, str]


def random_clip(random: Random, things: int = 1, held_out: bool = False) -> Clip:
    """A clip of `things` shapes of different colours: none of them held out of training, or all."""
    colours = random.sample(list(COLOURS), things)
    background = random.choice(BACKGROUNDS)
    changed = random.choice(BACKGROUNDS) if random.random() < SHARE_CHANGING / 2 else background
    return Clip(tuple(_random_thing(random, colour, held_out) for colour in colours), (background, changed))


def _random_thing(random: Random, colour: str, held_out: bool) -> Thing:
    pairs = [(shape, motion) for shape in SHAPES for motion in MOTIONS if ((colour, shape, motion) in HELD_OUT) == held_out]
    shape, motion = random.choice(pairs)
    others = [other for other in COLOURS if (other, shape, motion) not in HELD_OUT]
    later = random.choice(others) if random.random() < SHARE_CHANGING / 2 else colour
    radius = random.uniform(SMALLEST, LARGEST)
    reach = radius * (1.4 if motion in ("grows", "shrinks") else 1.0) + 1
    moves = MOTIONS[motion] != (0, 0)
    path = random.uniform(0.85, 1.0) * (SIZE - 2 * reach) if moves else 0.0
    start = tuple(_first_position(random, direction, reach, path) for direction in MOTIONS[motion])
    return Thing((colour, later), shape, motion, radius, start, path / (FRAMES - 1), *_random_timing(random))


def _first_position(random: Random, direction: int, reach: float, path: float) -> float:
    low, high = reach, SIZE - reach
    return random.uniform(low + path * (direction < 0), high - path * (direction > 0))


def _random_timing(random: Random) -> tuple[int, int]:
    """(first frame, frame after the last): half of all things are there throughout, the others come late, leave early or both."""
    kind = random.random()
    if kind < 0.5:
        return 0, FRAMES
    if kind < 0.7:
        return random.randint(4, 24), FRAMES
    if kind < 0.85:
        return 0, random.randint(9, 28)
    appears = random.randint(3, 18)
    return appears, min(FRAMES, appears + random.randint(8, 14))


def render(clips: Sequence[Clip], device: torch.device | str = "cpu") -> Tensor:
    """Videos [B, 3, 33, 64, 64] in [0, 1]."""
    video = torch.stack([_background(clip) for clip in clips]).to(device)
    for depth in reversed(range(max(len(clip.things) for clip in clips))):
        with_thing = [i for i, clip in enumerate(clips) if len(clip.things) > depth]
        things = [clips[i].things[depth] for i in with_thing]
        alpha = _coverage(things, video.device).unsqueeze(1)
        video[with_thing] += alpha * (_colour(things).to(device) - video[with_thing])
    return video


def _by_half(first: Tensor, second: Tensor) -> Tensor:
    """[...], [...] -> [33, ...]: the first up to the middle frame, the second from there on."""
    half = FRAMES // 2
    return torch.stack([first] * half + [second] * (FRAMES - half))


def _background(clip: Clip) -> Tensor:
    return _by_half(*(_plain(name) for name in clip.backgrounds)).expand(3, FRAMES, SIZE, SIZE)


def _plain(name: str) -> Tensor:
    """[64, 64] brightness; darker towards the corners, so that a model without absolute positions can tell where it is."""
    place = (torch.arange(SIZE) + 0.5) / SIZE
    corner = ((place[:, None] - 0.5) ** 2 + (place[None] - 0.5) ** 2) * 2
    gray = 0.42 + 0.20 * torch.sin(place * 8 * math.pi).expand(SIZE, SIZE) if name == "striped" else torch.tensor(GRAYS[name])
    return gray * (1 - 0.12 * corner)


def _colour(things: Sequence[Thing]) -> Tensor:
    """[B, 3, 33, 1, 1] colour of each thing by frame."""
    by_half = [_by_half(*(torch.tensor(COLOURS[word]) for word in thing.colours)).T for thing in things]
    return torch.stack(by_half)[..., None, None]


def _coverage(things: Sequence[Thing], device: torch.device) -> Tensor:
    """[B, 33, 64, 64] share of each pixel that the thing covers."""

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1, 1)

    frame = torch.arange(FRAMES, device=device).view(1, -1, 1, 1)
    pixel = torch.arange(SIZE, device=device) + 0.5
    offsets = []
    for axis, place in ((0, pixel.view(1, 1, 1, -1)), (1, pixel.view(1, 1, -1, 1))):
        velocity = column([thing.speed * MOTIONS[thing.motion][axis] for thing in things])
        offsets.append(place - column([thing.start[axis] for thing in things]) - velocity * frame)
    growth = {"grows": (0.7, 1.4), "shrinks": (1.4, 0.7)}
    first = column([growth.get(thing.motion, (1.0, 1.0))[0] * thing.radius for thing in things])
    last = column([growth.get(thing.motion, (1.0, 1.0))[1] * thing.radius for thing in things])
    radius = first + (last - first) * frame / (FRAMES - 1)
    distances = torch.stack([distance(*offsets, radius) for distance in DISTANCES.values()])
    which = torch.tensor([SHAPES.index(thing.shape) for thing in things], device=device)
    distance = distances[which, torch.arange(len(things), device=device)]
    there = (frame >= column([thing.appears for thing in things])) & (frame < column([thing.vanishes for thing in things]))
    return (0.5 - distance / EDGE).clamp(0, 1) * there


def _circle(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    return torch.sqrt(x * x + y * y + 1e-6) - radius


def _square(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    return torch.maximum(x.abs(), y.abs()) - 0.9 * radius


def _triangle(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Equilateral, a corner up, its centre at the origin."""
    inner, slope = 0.6 * radius, math.sqrt(3) / 2
    return torch.maximum(y - inner, slope * x.abs() - 0.5 * y - inner)


DISTANCES = dict(zip(SHAPES, (_circle, _square, _triangle), strict=True))  # signed, in pixels, negative inside
