"""Node: Massive Activation Chart."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.core.errors import TemporalAttentionError
from ..py.core.trace import Record
from ..py.records.findings import candidates
from ..py.records.massive_trace import profile_of, records_of
from ..py.views.massive_charts import channel_along_tokens, channels_over_tokens, regions_over_steps
from ..py.views.massive_values import followed
from . import _inputs as shared
from . import _massive as massive

OVER_TOKENS, ALONG_TOKENS, OVER_STEPS = "channels over tokens", "one channel along the tokens", "over the steps"
PICTURES = (OVER_TOKENS, ALONG_TOKENS, OVER_STEPS)
AUTOMATIC = -1


class MassiveActivationChartNode(io.ComfyNode):
    """Trace of massive activations -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_MassiveActivationChart",
            display_name="Massive Activation Chart",
            category=shared.DIAGNOSTICS,
            description="Draws the massive activations of a watched run: the strongest channels over all video tokens, one "
            "channel along the tokens with the borders of the latent frames, or its magnitude over the steps.",
            search_aliases=["massive activations", "token channel picture", "activation profile", "hidden state plot"],
            is_output_node=True,
            inputs=[
                *shared.trace_inputs(massive.MassiveTrace, massive.NODE),
                io.Combo.Input(
                    "picture",
                    options=list(PICTURES),
                    default=OVER_TOKENS,
                    tooltip="channels over tokens: the 8 strongest of a block. one channel along the tokens: with frame borders. "
                    "over the steps: first frame, boundary and interior, and how their ratio fades.",
                ),
                io.Int.Input(
                    "block",
                    default=AUTOMATIC,
                    min=AUTOMATIC,
                    max=shared.LARGEST_NUMBER,
                    tooltip="Block to draw, counted from 0. -1 = the block in which a channel stands out most.",
                ),
                io.Int.Input(
                    "channel",
                    default=AUTOMATIC,
                    min=AUTOMATIC,
                    max=shared.LARGEST_NUMBER,
                    tooltip="Channel to draw, one of the 8 strongest of the block. -1 = the strongest.",
                ),
                massive.steps_input(),
                shared.branch_input("Draw"),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The chart, 1024 pixels wide.")],
        )

    @classmethod
    def execute(cls, trace, samples, picture, block, channel, steps, branch) -> io.NodeOutput:
        """Draws the run that returned `samples`."""
        found = shared.traced_run(trace, samples, massive.NODE)
        run, note = found.trace, shared.provenance(found)
        chosen, side = shared.numbers(steps, "step numbers"), shared.BRANCHES[branch]
        if block == AUTOMATIC:
            block = candidates(profile_of(run, chosen, side), 1)[0].block
        records = [record for record in records_of(run, chosen, side) if record.site.block == block]
        channel = _followed(records, block, channel)
        if picture == OVER_TOKENS:
            image = channels_over_tokens(run, records, note)
        elif picture == ALONG_TOKENS:
            image = channel_along_tokens(run, records, channel, trace.percent, note)
        else:
            image = regions_over_steps(run, run.select(side, None, {block}), channel, note)
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))


def _followed(records: list[Record], block: int, channel: int) -> int:
    """The channel to draw. Raises TemporalAttentionError where the block or the channel was not recorded."""
    if not records:
        raise TemporalAttentionError("a recorded block", f"block {block}", "Record more blocks, or set block to -1.")
    channels = followed(records, len(records) * len(records[0].values["strongest"]))
    if channel not in (AUTOMATIC, *channels):
        raise TemporalAttentionError(
            f"one of the strongest channels of block {block}, the only ones kept ({', '.join(map(str, channels))})",
            f"channel {channel}",
            "Set channel to one of these or to -1.",
        )
    return channels[0] if channel == AUTOMATIC else channel
