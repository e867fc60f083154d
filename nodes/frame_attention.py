"""Node: Frame Attention."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.views.matrices import frame_matrices
from ..py.views.matrix_cells import matrix_cells
from ..py.views.matrix_film import frame_matrix_film
from . import _inputs as shared

WHEN = {"before": "as the model made it", "after": "after the edits"}
SIDE_BY_SIDE, FILM = "side by side", "film"


class FrameAttentionNode(io.ComfyNode):
    """TRACE -> IMAGE: frame-to-frame attention matrices."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_FrameAttention",
            display_name="Frame Attention",
            category=shared.DIAGNOSTICS,
            description="Draws how much each latent frame (row) attends to every other (column), averaged over heads or head by "
            "head: a row of matrices for every block, a column for every step. A bright diagonal means that frames mostly "
            "attend to themselves.",
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
                shared.steps_input("Steps to draw, such as 0-3, 12. Empty = spread over all steps, at most 8.", advanced=False),
                io.Combo.Input(
                    "when",
                    options=list(WHEN),
                    default="before",
                    tooltip="before: as the model made it. after: what the kernel received once all techniques had acted.",
                ),
                shared.branch_input("Draw"),
                io.Combo.Input(
                    "layout",
                    options=[SIDE_BY_SIDE, FILM],
                    default=SIDE_BY_SIDE,
                    optional=True,
                    tooltip="side by side: one picture, one column per step. film: a picture for each step with the matrices of "
                    "at most 12 blocks; save it as a video.",
                ),
                io.String.Input(
                    "heads",
                    default="",
                    placeholder="mean",
                    optional=True,
                    advanced=True,
                    tooltip="Heads to draw one by one, such as 0-3, in the blocks set in Trace Attention's head_blocks. Empty = "
                    "the mean over all heads, which every trace has.",
                ),
                shared.Trace.Input(
                    "baseline", optional=True, tooltip="Another run of the same length: draws what changed, trace minus baseline."
                ),
                io.Latent.Input(
                    "baseline_samples",
                    optional=True,
                    tooltip="The latent from the baseline's sampler. A loaded trace needs none.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image",
                    tooltip="The matrices on one colour scale, 1024 pixels wide; for film, a batch of pictures.",
                )
            ],
        )

    @classmethod
    def execute(
        cls, trace, blocks, steps, when, branch, samples=None, layout=SIDE_BY_SIDE, heads="", baseline=None, baseline_samples=None
    ) -> io.NodeOutput:
        """Draws the run that returned `samples`, or what changed between it and its baseline."""
        found = shared.frame_attention_run(trace, samples)
        chosen = shared.numbers(blocks, "block numbers"), shared.numbers(steps, "step numbers"), shared.BRANCHES[branch]
        heads = shared.numbers(heads, "head numbers")
        cells = matrix_cells(found.trace, *chosen, when == "after", heads)
        what, note = f"Frame attention {WHEN[when]}", shared.provenance(found)
        if baseline is not None:
            other = shared.frame_attention_run(baseline, baseline_samples)
            cells = cells.minus(matrix_cells(other.trace, *chosen, when == "after", heads))
            what, note = f"{what}, trace minus baseline", note or shared.provenance(other)
        image = (frame_matrix_film if layout == FILM else frame_matrices)(cells, f"{what}{note}")
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))
