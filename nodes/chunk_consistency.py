"""Node: Chunk Consistency."""

from __future__ import annotations

from comfy.model_management import get_torch_device
from comfy_api.latest import io, ui

from ..py.host.latents import video_of
from ..py.host.vision import embed
from ..py.host.watch import Watch
from ..py.measures import chunks
from ..py.measures.frames import checked
from ..py.measures.similarity import consecutive_cosine, consecutive_ssim
from ..py.views.consistency_chart import consistency_chart
from ..py.views.consistency_report import consistency_report
from . import _inputs as shared


class ChunkConsistencyNode(io.ComfyNode):
    """IMAGE batch -> STRING, IMAGE: are neighbouring frames less alike where a new latent frame begins?"""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_ChunkConsistency",
            display_name="Chunk Consistency",
            category=shared.DIAGNOSTICS,
            description="Measures how alike neighbouring frames are, and whether they are less alike where a latent frame "
            "begins. A video VAE decodes each latent frame to several frames, and models tend to jump at these borders. "
            "Compares by SSIM of the pixels, or by a CLIP or DINO model if one is connected.",
            search_aliases=["cross-chunk", "within-chunk", "frame similarity", "temporal consistency", "SSIM", "DINO", "STAS"],
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The whole decoded clip, uncut, at least 3 frames."),
                shared.temporal_compression_input(2, advanced=False, after=" Ignored if samples is connected."),
                io.Latent.Input(
                    "samples",
                    optional=True,
                    tooltip="The latent that the frames were decoded from: the temporal compression is read from it.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="A CLIP, SigLIP or DINOv2 model from Load CLIP Vision: frames are compared by its embeddings. Not "
                    "connected: by SSIM of their pixels, which also drops where things move.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="Means across and within latent frames, and the worst pairs."),
                io.Image.Output(display_name="image", tooltip="The similarity of every pair, borders marked, 1024 pixels wide."),
            ],
        )

    @classmethod
    def execute(cls, images, temporal_compression, samples=None, clip_vision=None) -> io.NodeOutput:
        """Measures, reports and draws."""
        frames = checked(images, "images")
        if samples is not None:
            temporal_compression = chunks.temporal_compression(len(frames), video_of(samples["samples"]))
        by, similarity = _similarity(frames, clip_vision)
        found = chunks.chunk_consistency(similarity, temporal_compression)
        image = consistency_chart(found, by)
        return io.NodeOutput(consistency_report(found, by), image, ui=ui.PreviewImage(image, cls=cls))


def _similarity(frames, clip_vision):
    watch = Watch(loops=1)
    if clip_vision is None:
        return "SSIM", consecutive_ssim(frames, get_torch_device(), watch)
    name, embeddings = embed(clip_vision, frames, watch)
    return name, consecutive_cosine(embeddings)
