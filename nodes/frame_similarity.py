"""Node: Frame Similarity."""

from __future__ import annotations

from comfy.model_management import get_torch_device
from comfy_api.latest import io, ui

from ..py.core.similarity import FrameSimilarity
from ..py.host.vision import embed
from ..py.host.watch import Watch
from ..py.measures.frame_pairs import pairwise_cosine, pairwise_ssim, spread, stretched
from ..py.measures.frames import checked
from ..py.views.similarity_matrix import similarity_matrix
from . import _inputs as shared


class FrameSimilarityNode(io.ComfyNode):
    """IMAGE batch -> TA_FRAME_SIMILARITY, IMAGE: how alike any two frames of a video are."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_FrameSimilarity",
            display_name="Frame Similarity",
            category=shared.CATEGORY,
            description="Measures how alike any two frames of a reference video are. Temporal Attention Regularization takes "
            "the matrix in place of its Gaussian band, so that the new video changes when the reference does (dynamics "
            "transfer).",
            search_aliases=["dynamics transfer", "TAR", "VSTAR", "similarity matrix", "reference video", "DreamSim", "SSIM"],
            is_output_node=True,
            inputs=[
                io.Image.Input(
                    "images", tooltip="The reference video, at least 3 frames. It may be longer or shorter than yours."
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="A CLIP, SigLIP or DINOv2 model from Load CLIP Vision: frames are compared by what they show. Not "
                    "connected: by SSIM of their pixels, which drops quickly where things move.",
                ),
                io.Int.Input(
                    "frames",
                    default=33,
                    min=3,
                    max=512,
                    tooltip="Maximum number of frames to compare, evenly spread over the video. More than your video's latent "
                    "frames does not help.",
                ),
                io.Boolean.Input(
                    "stretch",
                    default=True,
                    advanced=True,
                    tooltip="Stretch the values to the full range from 0 to 1. Attention ignores what all values share, and a "
                    "vision model's values are all close to 1. Off: as measured, with negative values set to 0, to compare "
                    "videos.",
                ),
            ],
            outputs=[
                shared.Similarity.Output(
                    display_name="similarity", tooltip="For Temporal Attention Regularization and Similarity by Interval."
                ),
                io.Image.Output(display_name="image", tooltip="The matrix, 1024 pixels wide."),
            ],
        )

    @classmethod
    def execute(cls, images, frames, stretch, clip_vision=None) -> io.NodeOutput:
        """Measures and draws."""
        clip = checked(images, "images")
        chosen = spread(len(clip), frames)
        by, matrix = _compared(clip[chosen], clip_vision)
        source = f"{by} of {_counted(len(chosen), len(clip))}{_range(matrix, stretch)}"
        found = FrameSimilarity(
            stretched(matrix) if stretch else matrix.clamp(min=0), source, (len(clip) - 1) / (len(chosen) - 1)
        )
        image = similarity_matrix(found, chosen)
        return io.NodeOutput(found, image, ui=ui.PreviewImage(image, cls=cls))


def _compared(clip, clip_vision):
    watch = Watch(loops=1)
    if clip_vision is None:
        return "SSIM", pairwise_ssim(clip, get_torch_device(), watch)
    name, embeddings = embed(clip_vision, clip, watch)
    return name, pairwise_cosine(embeddings)


def _counted(chosen: int, frames: int) -> str:
    return f"{frames} frames" if chosen == frames else f"{chosen} frames, evenly spread over {frames}"


def _range(matrix, stretch: bool) -> str:
    low = float(matrix.min())
    return f"; from {low:.3f} to 1, {'stretched to 0 to 1' if stretch else 'as measured'}"
