"""Node: Tempo Report."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.views.tempo_report import tempo_report
from . import _inputs as shared
from . import _tempo


class TempoReportNode(io.ComfyNode):
    """TRACE -> IMAGE: how the optimisation of TempoControl went."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TempoReport",
            display_name="Tempo Report",
            category=shared.DIAGNOSTICS,
            description="Draws what TempoControl did, iteration by iteration: how well each phrase's attention follows its "
            "schedule, how much attention remains where the phrase is not wanted, and the loss.",
            search_aliases=["TempoControl", "loss curve", "correlation", "optimisation chart"],
            is_output_node=True,
            inputs=[*shared.trace_inputs(node=_tempo.TRACER)],
            outputs=[io.Image.Output(display_name="image", tooltip="The chart, 1024 pixels wide.")],
        )

    @classmethod
    def execute(cls, trace, samples) -> io.NodeOutput:
        """Draws the run that returned `samples`."""
        found = _tempo.optimised_run(trace, samples)
        image = tempo_report(found.trace, shared.provenance(found))
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))
