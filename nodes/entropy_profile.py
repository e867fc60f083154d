"""Node: Entropy Profile."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.records.entropy_profile import main_profile, profiles_of
from ..py.views.blocks import block_list
from ..py.views.entropy_charts import entropy_bars, entropy_over_steps
from ..py.views.entropy_report import entropy_report
from . import _inputs as shared


class EntropyProfileNode(io.ComfyNode):
    """TRACE -> IMAGE, STRING, INT: how spread out the attention of each block is."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_EntropyProfile",
            display_name="Entropy Profile",
            category=shared.DIAGNOSTICS,
            description="Shows how spread out the attention of each block is, from 0 (each token attends to a single one) to "
            "100 % (to all equally), and how much energy its output keeps. High-entropy blocks matter for quality, low-entropy "
            "ones hold the structure (IE-Adapt). Suggests the block for guidance and the blocks for editing.",
            search_aliases=["attention entropy", "IE-Adapt", "which layer to skip", "SLG layers", "PAG layers", "block choice"],
            is_output_node=True,
            inputs=[
                *shared.trace_inputs(),
                shared.steps_input("Sampling steps to average over, such as 0-3, 12. Empty = all that were recorded."),
                shared.branch_input("Average over"),
            ],
            outputs=[
                io.Image.Output(display_name="bars", tooltip="Entropy of each block with the 50 % line, energy as dots."),
                io.Image.Output(display_name="over_steps", tooltip="Entropy of each block at each step."),
                io.String.Output(display_name="report", tooltip="The numbers, and the block lists. Connect to Preview as Text."),
                io.Int.Output(
                    display_name="highest_block", tooltip="The block with the highest entropy: the one to use for guidance."
                ),
                io.String.Output(display_name="higher_half", tooltip="Its blocks as text, for the blocks input of other nodes."),
                io.String.Output(display_name="lower_half", tooltip="The same for the half that holds structure: for editing."),
            ],
        )

    @classmethod
    def execute(cls, trace, steps, branch, samples=None) -> io.NodeOutput:
        """Profiles the run that returned `samples`."""
        found = shared.traced_run(trace, samples)
        run, side = found.trace, shared.BRANCHES[branch]
        profiles = profiles_of(run, shared.numbers(steps, "step numbers"), side)
        rows = "cond and uncond" if side is None else side.value
        which = f", steps {steps}" if steps.strip() else ""
        head, note = f"{run.family}, {run.blocks} blocks, {rows}", shared.provenance(found)
        bars, heatmap = entropy_bars(profiles, f"{head}{which}{note}"), entropy_over_steps(run, side, f"{head}{note}")
        chosen = main_profile(profiles)
        lists = map(block_list, chosen.halves)
        return io.NodeOutput(
            bars,
            heatmap,
            entropy_report(profiles, f"{head}{which}{note}"),
            chosen.highest,
            *lists,
            ui=ui.PreviewImage(bars, cls=cls),
        )
