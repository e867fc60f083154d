"""Clips as rows of labelled frames, images below each other, and texts, each as one small picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

SHOWN, FRAME, GAP, LINE = 9, 92, 4, 24  # frames of a clip, pixels of a frame, between them, of a label
COLOURS = 256
INK, PAPER = "#202020", "#ffffff"


def rows(clips: Sequence[Sequence[Image.Image]], labels: Sequence[str]) -> Image.Image:
    """Nine frames of each clip, evenly spread from its first to its last, below its label."""
    width, height = SHOWN * (FRAME + GAP) + GAP, LINE + FRAME + 2 * GAP
    sheet = Image.new("RGB", (width, height * len(clips)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), 15)
    for row, (frames, label) in enumerate(zip(clips, labels, strict=True)):
        draw.text((GAP, row * height + 3), label, INK, font)
        for place in range(SHOWN):
            frame = frames[round(place * (len(frames) - 1) / (SHOWN - 1))].convert("RGB")
            large = frame.resize((FRAME, FRAME), Image.Resampling.BICUBIC)
            box = (GAP + place * (FRAME + GAP), row * height + LINE)
            sheet.paste(large, box)
            draw.rectangle((box[0], box[1], box[0] + FRAME - 1, box[1] + FRAME - 1), outline="#b0b0b0")
    return sheet


def stack(images: Sequence[Image.Image]) -> Image.Image:
    """Images of one width below each other."""
    sheet = Image.new("RGB", (images[0].width, sum(image.height for image in images)), PAPER)
    top = 0
    for image in images:
        sheet.paste(image.convert("RGB"), (0, top))
        top += image.height
    return sheet


def text(words: str) -> Image.Image:
    """The text as it is, in a monospaced face."""
    font = ImageFont.truetype(findfont("DejaVu Sans Mono"), 14)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    _, _, width, height = measure.multiline_textbbox((0, 0), words, font, spacing=5)
    sheet = Image.new("RGB", (int(width) + 24, int(height) + 24), PAPER)
    ImageDraw.Draw(sheet).multiline_text((12, 10), words, INK, font, spacing=5)
    return sheet


def small(picture: Image.Image) -> Image.Image:
    """With a palette, for clips and texts; a chart keeps its colours, or its colour bar would show bands."""
    return picture.convert("RGB").quantize(COLOURS, kmeans=3)
