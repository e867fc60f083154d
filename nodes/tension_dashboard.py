"""Node: Tension Dashboard."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.views.figure import THEMES
from ..py.views.tension.common import Look
from ..py.views.tension.d_schedule import schedule
from . import _inputs as shared
from . import _tension as tension


class TensionDashboardNode(io.ComfyNode):
    """TRACE -> IMAGE: six block x step heatmaps of what STH did."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TensionDashboard",
            display_name="Tension Dashboard",
            category=shared.DIAGNOSTICS,
            description="Draws for every block and step how strongly STH acted, how far it scaled the queries, and the tension "
            "before and after, as six heatmaps (figure D of the paper), for one run or the mean of many.",
            search_aliases=["layer step heatmap", "STH overview", "gamma map", "spectral tension", "figure D"],
            is_output_node=True,
            inputs=[
                *tension.treated_inputs(),
                shared.branch_input("Draw"),
                tension.theme_input(),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The six heatmaps, 1024 pixels wide.")],
        )

    @classmethod
    def execute(cls, trace, branch, theme, samples=None) -> io.NodeOutput:
        """Draws the run that returned `samples`, or a set."""
        videos, note = tension.chosen(trace, samples, None, None, branch)
        image = schedule(videos, Look(THEMES[theme], note=note))
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))
