"""Node: Frame Attention."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.views.matrices import frame_matrices
from . import _inputs as shared

WHEN = ("before", "after")


class FrameAttentionNode(io.ComfyNode):
    """TRACE -> IMAGE: frame-to-frame attention matrices."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_FrameAttention",
            display_name="Frame Attention",
            category=shared.DIAGNOSTICS,
            description="Draws how much each latent frame (row) attends to each other one (column), averaged over heads: a row "
            "of matrices for every block, a column for every step. A bright diagonal means that frames keep to themselves.",
            search_aliases=["attention matrix", "temporal attention map", "frame to frame"],
            is_output_node=True,
            inputs=[
                *shared.trace_inputs(),
                io.String.Input(
                    "blocks",
                    default="",
                    placeholder="all",
                    tooltip="Blocks to draw, such as 0-3, 12. Empty = spread over all blocks, at most 12.",
                ),
                io.String.Input(
                    "steps",
                    default="",
                    placeholder="all",
                    tooltip="Steps to draw, such as 0-3, 12. Empty = spread over all steps, at most 8.",
                ),
                io.Combo.Input(
                    "when",
                    options=list(WHEN),
                    default=WHEN[0],
                    tooltip="before: as the model made it. after: what the kernel received once all techniques had acted.",
                ),
                shared.branch_input("Draw"),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The matrices on one colour scale, 1024 pixels wide.")],
        )

    @classmethod
    def execute(cls, trace, blocks, steps, when, branch, samples=None) -> io.NodeOutput:
        """Draws the run that returned `samples`."""
        found = shared.frame_attention_run(trace, samples)
        image = frame_matrices(
            found.trace,
            shared.numbers(blocks, "block numbers"),
            shared.numbers(steps, "step numbers"),
            shared.BRANCHES[branch],
            when == "after",
            shared.provenance(found),
        )
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))
