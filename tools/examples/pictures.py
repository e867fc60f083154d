"""The video that stands for a user's own, and the small pictures of the template browser."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageSequence

FRAMES, SIZE, RADIUS = 33, 64, 9
FPS, RATE = Fraction(12), 44100
BEATS = (1.5, 1.83, 2.17, 2.5)  # seconds: four latent frames of the demo model
SHOWN = (0.2, 0.8)  # where in the clip the two frames of a thumbnail are
WIDEST, GAP = 512, 8


def write_video(path: Path) -> None:
    """A red circle that moves left on white, and drum beats in the second half of its sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=FPS, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        sound = container.add_stream("aac", rate=RATE, layout="mono")
        for index in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_image(_frame(index))))
        container.mux(stream.encode())
        samples = av.AudioFrame.from_ndarray(_beats()[None], format="fltp", layout="mono")
        samples.sample_rate = RATE
        container.mux(sound.encode(samples))
        container.mux(sound.encode())


def _frame(index: int) -> Image.Image:
    frame = Image.new("RGB", (SIZE, SIZE), (235, 235, 235))
    left = 43 - 40 * index / (FRAMES - 1)
    top = (SIZE - 2 * RADIUS) / 2
    ImageDraw.Draw(frame).ellipse((left, top, left + 2 * RADIUS, top + 2 * RADIUS), fill=(235, 30, 30))
    return frame


def _beats() -> np.ndarray:
    """Bursts of noise that fade within a tenth of a second."""
    noise, sound = np.random.default_rng(0), np.zeros(int(RATE * FRAMES / FPS), np.float32)
    for beat in BEATS:
        burst = noise.standard_normal(RATE // 4) * np.exp(-np.arange(RATE // 4) / (0.03 * RATE))
        start = int(beat * RATE)
        sound[start : start + len(burst)] += 0.3 * burst[: len(sound) - start].astype(np.float32)
    return sound


def thumbnail(clip: bytes) -> bytes:
    """A picture -> a JPEG of it; of an animated one, an early frame above a late one."""
    frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(clip)))]
    chosen = [frames[round(place * (len(frames) - 1))] for place in SHOWN] if len(frames) > 1 else frames
    height = len(chosen) * (chosen[0].height + GAP) - GAP
    sheet = Image.new("RGB", (chosen[0].width, height), "white")
    for row, frame in enumerate(chosen):
        sheet.paste(frame, (0, row * (frame.height + GAP)))
    sheet.thumbnail((WIDEST, WIDEST))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=88)
    return file.getvalue()
