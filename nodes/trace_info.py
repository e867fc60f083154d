"""Node: Trace Info."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.views.report import trace_report
from . import _inputs as shared
from ._tension import active_threshold_input


class TraceInfoNode(io.ComfyNode):
    """TRACE -> STRING: what was seen, done and skipped."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TraceInfo",
            display_name="Trace Info",
            category=shared.DIAGNOSTICS,
            description="Reports as text what a traced run did: how many calls were seen, how many were active, whether tension "
            "fell, where it is worst, what was skipped and why. Connect it to Preview as Text.",
            search_aliases=["attention report", "spectral tension", "why no effect"],
            inputs=[
                *shared.trace_inputs(),
                active_threshold_input(),
            ],
            outputs=[io.String.Output(display_name="report", tooltip="Plain text, one fact per line.")],
        )

    @classmethod
    def execute(cls, trace, active_threshold, samples=None) -> io.NodeOutput:
        """Reports on the run that returned `samples`."""
        found = shared.frame_attention_run(trace, samples)
        return io.NodeOutput(trace_report(found.trace, active_threshold, shared.provenance(found)))
