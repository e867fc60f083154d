"""One picture of many clips: nine frames of each, its prompt, and which parts of the prompt do not hold."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

FRAME, SHOWN, COLUMNS = 72, 9, 2  # pixels of a frame, frames of a clip, clips side by side
LINE, GAP = 20, 10
PARTS = ("background", "colour", "shape", "motion")


def save(found: Sequence, path: Path) -> Path:
    """Draws clips with their `prompt`, `video` [F, H, W, 3] and `verdict`, and returns the path."""
    width, height = SHOWN * FRAME + GAP, FRAME + LINE + GAP
    rows = -(-len(found) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width + GAP, rows * height + GAP), "#fafafa")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for index, one in enumerate(found):
        left, top = GAP + index % COLUMNS * width, GAP + index // COLUMNS * height
        wrong = [part for part in PARTS if not getattr(one.verdict, part)]
        label = f"{one.prompt}    " + (f"wrong: {', '.join(wrong)}" if wrong else "")
        draw.text((left, top), label, fill="#b00020" if wrong else "#202020", font=font)
        for place, frame in enumerate(torch.linspace(0, len(one.video) - 1, SHOWN).round().long().tolist()):
            sheet.paste(_image(one.video[frame]), (left + place * FRAME, top + LINE))
    sheet.save(path)
    return path


def _image(frame: torch.Tensor) -> Image.Image:
    pixels = (frame * 255).round().byte().cpu().numpy()
    return Image.fromarray(pixels).resize((FRAME - 2, FRAME - 2), Image.Resampling.BICUBIC)
