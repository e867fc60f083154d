"""The published settings of Structured Activation Steering, found by the shape of the network.

Steering Video Diffusion Transformers with Massive Activations (Cheng et al.), Tab. A2 and A3.
"""

from __future__ import annotations

from dataclasses import dataclass

GUESSED_DEPTH = 0.3  # where the published blocks are: 9 of 0-29, 9 of 0-29, 8 of 0-41
GUESSED_ALPHA, GUESSED_PERCENT = 2.0, 8.0  # the middle ones of the three published values


@dataclass(frozen=True)
class Preset:
    """The settings for one network of `blocks` blocks and `hidden` channels; `block` is counted from 0."""

    model: str
    blocks: int
    hidden: int
    channels: tuple[int, ...]
    block: int
    alpha: float
    percent: float


PRESETS = (
    Preset("Wan2.1-T2V-1.3B", 30, 1536, (1188,), 9, 2.5, 8.0),
    Preset("Wan2.2-TI2V-5B", 30, 3072, (1938,), 9, 2.0, 12.0),
    Preset("CogVideoX-5B", 42, 3072, (1982,), 8, 1.2, 8.0),
)


def preset_of(blocks: int, hidden: int) -> Preset | None:
    """The preset of a network of this shape, if there is one."""
    return next((preset for preset in PRESETS if (preset.blocks, preset.hidden) == (blocks, hidden)), None)


def guessed_block(blocks: int) -> int:
    """The block to steer in a network without a preset: a guess, from where the published blocks are."""
    return round(GUESSED_DEPTH * (blocks - 1))
