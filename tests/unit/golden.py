"""Pictures compared with small kept ones: a change of what is drawn is seen, a letter or line that moved a little is not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

FOLDER = Path(__file__).parent / "golden"
WRITE = os.environ.get("TEMPORAL_ATTENTION_GOLDEN") == "write"
HOW_TO_KEEP = "TEMPORAL_ATTENTION_GOLDEN=write python -m pytest tests/unit/test_golden.py"
WIDTH, COLOURS = 256, 256  # of a kept picture
BLUR, REACH = 3, 5  # pixels of it that are averaged, and over which a thing may move: sides of squares
MOST = 0.002  # of the full range, the mean difference that passes: other hinting of letters gives up to 0.0009, a stronger
# treatment on other videos 0.004 (F) to 0.07


def small(image) -> Image.Image:
    """An IMAGE [1, height, width, 3] in [0, 1] at the size in which pictures are kept."""
    pixels = Image.fromarray((image[0].numpy() * 255).round().astype(np.uint8))
    return pixels.resize((WIDTH, round(pixels.height * WIDTH / pixels.width)), Image.Resampling.BOX)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures of one size, as a share of the full range.

    A pixel differs by as much as it lies outside of what the other picture has around its place, whichever way round is more.
    """
    a, b = (uniform_filter(np.asarray(picture.convert("RGB"), float) / 255, (BLUR, BLUR, 0)) for picture in (one, other))
    return float(np.maximum(_outside(a, b), _outside(b, a)).mean())


def _outside(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    around = (REACH, REACH, 1)
    return np.maximum(a - maximum_filter(b, around), minimum_filter(b, around) - a).clip(min=0)


def alike(one: Image.Image, other: Image.Image) -> bool:
    """Is it the same picture?"""
    return one.size == other.size and difference(one, other) <= MOST


def check(name: str, image) -> None:
    """Compares with the picture kept by this name, or keeps it where TEMPORAL_ATTENTION_GOLDEN=write."""
    path, now = FOLDER / f"{name}.png", small(image)
    if WRITE:
        FOLDER.mkdir(exist_ok=True)
        now.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    kept = Image.open(path)
    assert kept.size == now.size, f"{name} is {now.size}, kept as {kept.size}"
    assert alike(kept, now), f"{name} differs by {difference(kept, now):.4f}: look at it; to keep it, {HOW_TO_KEEP}"
