"""What the nodes that make a schedule share: its socket, the frames to draw it over, and the answer."""

from __future__ import annotations

import logging

from comfy_api.latest import io, ui

from ..py.core.errors import TemporalAttentionError
from ..py.core.store import Found
from ..py.host.latents import video_of
from ..py.prompts.curves import Clip
from ..py.prompts.tempo import Tempo
from ..py.techniques.word_record import WordRecorder
from ..py.views.tempo_chart import tempo_chart
from . import _inputs as shared

Socket = io.Custom("TA_TEMPO")
TRACER = "TempoControl"

log = logging.getLogger("temporal_attention")


def fps_input() -> io.Input:
    """Frames a second of the video that will be made."""
    return io.Float.Input(
        "fps",
        default=16.0,
        min=1.0,
        max=240.0,
        step=0.01,
        tooltip="The model's frame rate, in video frames per second: 16 for Wan 2.1, Wan 2.2 14B and CogVideoX 1.5, 24 for Wan "
        "2.2 5B and HunyuanVideo, 25 for LTX-Video, 8 for CogVideoX. It turns seconds into frames.",
    )


def clip_inputs() -> list[io.Input]:
    """Over how many frames the picture is drawn, and the tracks to add to."""
    return [
        io.Int.Input(
            "frames",
            default=81,
            min=1,
            max=shared.LARGEST_NUMBER,
            tooltip="Video frames to draw, for the picture only: the schedule itself adapts to whatever is sampled. Ignored if "
            "samples is connected.",
        ),
        shared.temporal_compression_input(1, advanced=True, what_for=", for the picture only"),
        Socket.Input(
            "tempo", optional=True, tooltip="Another schedule to add to; its phrases come first. No phrase may appear in both."
        ),
        io.Latent.Input("samples", optional=True, tooltip="The latent to be sampled: the picture is drawn over its frames."),
    ]


def outputs() -> list[io.Output]:
    """The schedule and its picture."""
    return [
        Socket.Output(
            display_name="tempo", tooltip="When each phrase is wanted: for TempoControl, or for another schedule node."
        ),
        io.Image.Output(display_name="image", tooltip="Curve and mask of every phrase over the frames, 1024 pixels wide."),
    ]


def shown(cls, tempo: Tempo, fps: float, clip: Clip) -> io.NodeOutput:
    """The node's answer: the schedule, its picture over these frames, and in the log what does not fit them."""
    for said in tempo.cut(clip):
        log.warning("Schedule of %s.", said)
    image = tempo_chart(tempo, clip, fps)
    return io.NodeOutput(tempo, image, ui=ui.PreviewImage(image, cls=cls))


def optimised_run(trace, samples: dict) -> Found:
    """The run behind the trace of TempoControl. Raises TemporalAttentionError for that of another node or of a file."""
    if not isinstance(trace, WordRecorder):
        came = "one from a file, which has no schedule" if isinstance(trace, shared.LoadedTrace) else "one from another node"
        raise TemporalAttentionError(f"the trace of {TRACER}", came, f"Connect the trace output of {TRACER}.")
    return shared.traced_run(trace, samples, TRACER)


def drawn_clip(frames: int, compression: int, samples: dict | None) -> Clip:
    """The frames to draw."""
    if samples is None:
        return Clip(1 + -(-(frames - 1) // compression), compression)
    video = video_of(samples["samples"])
    if video.ndim != 5:
        raise TemporalAttentionError(
            "the latent of a video, [batch, channels, frames, height, width]",
            str(list(video.shape)),
            "Connect an empty video latent, or leave samples unconnected and set frames.",
        )
    return Clip(video.shape[2], compression)
