"""Node: Tension Heatmap."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.views.heatmap import layer_step_heatmap
from ..py.views.quantities import QUANTITIES
from . import _inputs as shared


class TensionHeatmapNode(io.ComfyNode):
    """TRACE -> IMAGE: block x step heatmap of one quantity."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TensionHeatmap",
            display_name="Tension Heatmap",
            category=shared.DIAGNOSTICS,
            description="Draws one quantity of a traced run for every block and step: blocks from top to bottom, steps from "
            "left to right. Spectral Tension is red where frames mix too much, blue where they are kept apart, white where they "
            "are balanced.",
            search_aliases=["layer step heatmap", "spectral tension", "entropy heatmap"],
            is_output_node=True,
            inputs=[
                *shared.trace_inputs(),
                io.Combo.Input(
                    "quantity",
                    options=list(QUANTITIES),
                    default="tension before",
                    tooltip="before: as the model made it. after: what the kernel received once all techniques had acted. "
                    "gamma, tau_eff: what STH set. High tension can also mean one frame that all others attend to: look at the "
                    "two entropies.",
                ),
                shared.branch_input("Draw"),
                io.Boolean.Input(
                    "full_range",
                    default=False,
                    advanced=True,
                    tooltip="Scale the colours to the full range a quantity can have, to compare runs. Off: to this run's "
                    "range, the same for before and after.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The heatmap, 1024 pixels wide.")],
        )

    @classmethod
    def execute(cls, trace, quantity, branch, full_range, samples=None) -> io.NodeOutput:
        """Draws the run that returned `samples`."""
        found = shared.frame_attention_run(trace, samples)
        image = layer_step_heatmap(found.trace, quantity, shared.BRANCHES[branch], full_range, shared.provenance(found))
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))
