"""Node: Massive Activation Report."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.records.massive_trace import profile_of, records_of
from ..py.views.massive import massive_report
from . import _inputs as shared
from . import _massive as massive


class MassiveActivationReportNode(io.ComfyNode):
    """Trace of massive activations -> STRING, and the profile that STAS reads."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_MassiveActivationReport",
            display_name="Massive Activation Report",
            category=shared.DIAGNOSTICS,
            description="Lists which channels of a watched run are massive: block, peak, how far above the others, and how it "
            "falls from the first latent frame to the borders to the interior. Its profile feeds STAS. Connect report to "
            "Preview as Text.",
            search_aliases=["massive channels", "STAS channels", "outlier channels", "activation report"],
            inputs=[
                *shared.trace_inputs(massive.MassiveTrace, massive.NODE),
                massive.Profile.Input(
                    "earlier",
                    optional=True,
                    tooltip="A profile of the same model from earlier prompts: this run is averaged into it.",
                ),
                massive.steps_input(),
                shared.branch_input("Average over"),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="Plain text: a table, then what would be steered."),
                massive.Profile.Output(
                    display_name="profile",
                    tooltip="The peaks of all channels: for STAS, Activation Probe and Save Massive Profile.",
                ),
            ],
        )

    @classmethod
    def execute(cls, trace, samples, steps, branch, earlier=None) -> io.NodeOutput:
        """Reports on the run that returned `samples`."""
        found = shared.traced_run(trace, samples, massive.NODE)
        chosen, side = shared.numbers(steps, "step numbers"), shared.BRANCHES[branch]
        profile = profile_of(found.trace, chosen, side)
        if earlier is not None:
            profile = profile.averaged_with(earlier)
        records = records_of(found.trace, chosen, side)
        text = massive_report(profile, records, massive.wanted_block(profile), shared.provenance(found))
        return io.NodeOutput(text, profile)
