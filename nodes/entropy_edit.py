"""Node: Entropy Edit."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Window
from ..py.host.attach import attach
from ..py.host.edit_guider import EditGuider
from ..py.techniques.entropy_edit import PATTERNS, EntropyEdit
from . import _inputs as shared


class EntropyEditNode(io.ComfyNode):
    """MODEL and two prompts -> GUIDER that makes the target video with the structure of the source."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_EntropyEdit",
            display_name="Entropy Edit (IE-Adapt)",
            category=shared.CATEGORY,
            description="Changes what a video shows and keeps how it moves: source and target are denoised side by side, and the "
            "target takes the source's attention in the blocks where attention is most structured.",
            search_aliases=["IE-Adapt", "video editing", "attention injection", "prompt to prompt", "p2p", "entropy"],
            inputs=[
                io.Model.Input("model", tooltip="A video model that reads text."),
                io.Conditioning.Input("source", tooltip="What the video shows without the edit."),
                io.Conditioning.Input("target", tooltip="What it should show. Change as few words as possible."),
                io.Conditioning.Input("negative", tooltip="The negative prompt for both."),
                io.Float.Input("cfg", default=5.0, min=0.0, max=100.0, step=0.1, tooltip="Scale of classifier-free guidance."),
                io.Float.Input(
                    "share",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of the blocks that take the source's attention, lowest entropy first. Higher keeps more of "
                    "the source, lower follows the target prompt more. 0 ignores the source.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="Where the video may change (white). Elsewhere it stays the source's."
                ),
                *shared.window_inputs(),
                io.Combo.Input(
                    "attention",
                    options=list(PATTERNS),
                    default="self",
                    optional=True,
                    tooltip="What the target takes over in those blocks. self: as in the paper. self and cross: also which "
                    "words each place reads, which keeps things in place; replace words with the same number of words. Makes no "
                    "difference on models whose text and video share one attention (HunyuanVideo, CogVideoX, Mochi).",
                ),
            ],
            outputs=[
                io.Guider.Output(display_name="guider", tooltip="For SamplerCustomAdvanced, with noise and latent as usual.")
            ],
        )

    @classmethod
    def execute(
        cls, model, source, target, negative, cfg, share, start_percent, end_percent, mask=None, attention="self"
    ) -> io.NodeOutput:  # fmt: skip
        """A guider around a clone of the model."""
        technique = EntropyEdit(share=share, window=Window(start_percent, end_percent), where=PATTERNS[attention])
        measures = technique if technique.acts() and start_percent == 0 else None
        guider = EditGuider(attach(model, technique), measures, mask)
        guider.set_prompts(source, target, negative, cfg)
        return io.NodeOutput(guider)
