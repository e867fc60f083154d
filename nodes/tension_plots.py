"""Node: Tension Plots."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.views.tension.plots import PLOTS
from . import _inputs as shared
from . import _tension as tension


class TensionPlotsNode(io.ComfyNode):
    """TRACE_SET -> IMAGE: a figure of the tension study."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TensionPlots",
            display_name="Tension Plots",
            category=shared.DIAGNOSTICS,
            description="Draws what a technique did to attention between frames, call by call and video by video: the twelve "
            "figures of the paper's appendix, for your model and prompts.",
            search_aliases=["figure A to M", "spectrum", "effect size", "eigenvalues", "histogram", "scatter", "compare runs"],
            is_output_node=True,
            inputs=[
                *tension.trace_or_set_inputs(),
                io.Combo.Input(
                    "figure",
                    options=list(PLOTS),
                    default=next(iter(PLOTS)),
                    tooltip="By its letter in the paper; figure D is Tension Dashboard. A, B, G, H, I and M are about active "
                    "calls. C, F, J and L have one point per video: give them a Trace Set.",
                ),
                *tension.look_inputs(),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The figure, 1024 pixels wide.")],
        )

    @classmethod
    def execute(
        cls, trace, figure, active_threshold, deep, branch, theme, samples=None, baseline=None, baseline_samples=None
    ) -> io.NodeOutput:
        """Draws a set, or the videos of one run."""
        videos, note = tension.chosen(trace, samples, baseline, baseline_samples, branch)
        image = PLOTS[figure](videos, tension.look_of(theme, active_threshold, deep, note))
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))
