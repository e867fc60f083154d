"""Node: the small demo text-to-video model with its text encoder and VAE."""

from comfy_api.latest import io

from ..py.demo.network import load_model
from ..py.demo.text import load_clip
from ..py.demo.vae import load_vae
from . import _inputs as shared


class LoadDemoModel(io.ComfyNode):
    """-> MODEL, CLIP, VAE of the demo model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Outputs and texts of the node."""
        return io.Schema(
            node_id="TA_LoadDemoModel",
            display_name="Load Demo Model",
            category=f"{shared.CATEGORY}/demo",
            description=(
                "A very small text-to-video model with the Wan architecture: no download, about a second per clip on a CPU. It "
                "makes 33 frames of 64 x 64 with coloured shapes that move, grow or stay still: 'a red circle moves left on "
                "white'."
            ),
            search_aliases=["tiny wan", "toy model", "test model", "example model", "cpu video model"],
            inputs=[],
            outputs=[
                io.Model.Output(tooltip="The diffusion model: 6 Wan blocks with 4 heads of self- and cross-attention each."),
                io.Clip.Output(
                    tooltip="The text encoder: up to 16 words such as 'a red circle moves left on a striped background'."
                ),
                io.Vae.Output(
                    tooltip="The codec: 4 frames of 8 x 8 pixels per latent, the first frame on its own, as in Wan's VAE."
                ),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        """Loads the three from this pack's files."""
        return io.NodeOutput(load_model(), load_clip(), load_vae())
