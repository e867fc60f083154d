"""The video that stands for a user's own, and the small pictures of the template browser."""

import io
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageSequence

FRAMES, SIZE, RADIUS = 33, 64, 9
SHOWN = (0.2, 0.8)  # where in the clip the two frames of a thumbnail are
WIDEST = 512


def write_video(path: Path) -> None:
    """A red circle that moves left on white."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=Fraction(12), options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        for index in range(FRAMES):
            frame = Image.new("RGB", (SIZE, SIZE), (235, 235, 235))
            left = 43 - 40 * index / (FRAMES - 1)
            top = (SIZE - 2 * RADIUS) / 2
            ImageDraw.Draw(frame).ellipse((left, top, left + 2 * RADIUS, top + 2 * RADIUS), fill=(235, 30, 30))
            container.mux(stream.encode(av.VideoFrame.from_image(frame)))
        container.mux(stream.encode())


def thumbnail(clip: bytes) -> bytes:
    """An animated picture -> a JPEG of an early frame above a late one."""
    frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(clip)))]
    chosen = [frames[round(place * (len(frames) - 1))] for place in SHOWN]
    sheet = Image.new("RGB", (chosen[0].width, 2 * chosen[0].height + 8), "white")
    for row, frame in enumerate(chosen):
        sheet.paste(frame, (0, row * (frame.height + 8)))
    sheet.thumbnail((WIDEST, WIDEST))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=88)
    return file.getvalue()
