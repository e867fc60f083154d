"""Node: Video Measures."""

from __future__ import annotations

from comfy.model_management import get_torch_device
from comfy_api.latest import io, ui

from ..py.host.vision import embed
from ..py.host.watch import Watch
from ..py.measures.frames import checked, same_shape
from ..py.measures.video import LOOPS, Embedded, measure
from ..py.views.measures_chart import measures_chart
from ..py.views.measures_report import measures_report
from . import _inputs as shared


class VideoMeasuresNode(io.ComfyNode):
    """IMAGE batches -> STRING, IMAGE: flicker, smoothness, motion and consistency of one clip, or before and after."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_VideoMeasures",
            display_name="Video Measures",
            category=shared.DIAGNOSTICS,
            description="Measures flicker, motion smoothness, dynamic degree, subject and background consistency of one clip, "
            "or of two to see what a node did. Pixel-based; nothing to download. The names are VBench's, but VBench uses RAFT, "
            "AMT, DINO and CLIP, so the numbers are not comparable with its leaderboard.",
            search_aliases=["VBench", "flicker", "motion smoothness", "dynamic degree", "before and after", "compare videos"],
            is_output_node=True,
            inputs=[
                io.Image.Input(
                    "before", tooltip="The clip to measure, at least 3 frames; when comparing two, the one without the node."
                ),
                io.Image.Input(
                    "after", optional=True, tooltip="A second clip with the same number and size of frames, to compare."
                ),
                io.ClipVision.Input(
                    "subject_vision",
                    optional=True,
                    tooltip="A vision model from Load CLIP Vision, ideally DINOv2: subject consistency by its embeddings of "
                    "whole frames, as VBench does with DINO. Not connected: by the colours of what moves.",
                ),
                io.ClipVision.Input(
                    "background_vision",
                    optional=True,
                    tooltip="A vision model from Load CLIP Vision, ideally CLIP: background consistency by its embeddings of "
                    "whole frames, as VBench does. Not connected: by SSIM of what stands still.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="A table: each measure before and after, and the difference."),
                io.Image.Output(display_name="image", tooltip="Each measure frame by frame, 1024 pixels wide."),
            ],
        )

    @classmethod
    def execute(cls, before, after=None, subject_vision=None, background_vision=None) -> io.NodeOutput:
        """Measures, reports and draws."""
        clips = [checked(before, "before")]
        if after is not None:
            clips.append(checked(after, "after"))
            same_shape(*clips)
        models = (subject_vision, background_vision)
        watch = Watch(loops=len(clips) * (LOOPS + sum(model is not None for model in models)))
        found = [_measured(clip, models, watch) for clip in clips]
        image = measures_chart(*found)
        return io.NodeOutput(measures_report(*found), image, ui=ui.PreviewImage(image, cls=cls))


def _measured(clip, models, watch):
    subject, background = (model and Embedded(*embed(model, clip, watch)) for model in models)
    return measure(clip, get_torch_device(), subject, background, watch)
