"""Node: Tension Statistics."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.measures.tension_statistics import statistics
from ..py.views.tension import table
from . import _inputs as shared
from . import _tension as tension


class TensionStatisticsNode(io.ComfyNode):
    """TRACE_SET -> STRINGs: what changed over videos, and how sure that is."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TensionStatistics",
            display_name="Tension Statistics",
            category=shared.DIAGNOSTICS,
            description="Tests, with the video as the unit, what a technique did to attention between frames: tension, "
            "self-retention, rank, concentration, spectrum, heads, direction of time (Table 2 of the paper). With fewer than 6 "
            "videos there is no p-value.",
            search_aliases=["sign test", "Wilcoxon", "effect size", "significance", "table 2", "does it work"],
            inputs=[*tension.trace_or_set_inputs(), *tension.which_calls_inputs()],
            outputs=[
                io.String.Output(display_name="table", tooltip="A readable table. Connect it to Preview as Text."),
                io.String.Output(display_name="csv", tooltip="The rows for a spreadsheet."),
                io.String.Output(display_name="json", tooltip="The rows and the counts of calls, for programs."),
            ],
        )

    @classmethod
    def execute(cls, trace, active_threshold, deep, branch, samples=None, baseline=None, baseline_samples=None) -> io.NodeOutput:
        """Tests a set, or the videos of one run."""
        videos, note = tension.chosen(trace, samples, baseline, baseline_samples, branch)
        found = statistics(videos, active_threshold, deep)
        return io.NodeOutput(f"{table.text(found)}{note}", table.as_csv(found), table.as_json(found))
