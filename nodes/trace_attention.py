"""Node: Trace Attention."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Where, Window
from ..py.core.live import Live
from ..py.host.attach import attach, recording
from ..py.techniques.estimator import Estimator
from ..py.techniques.pattern import SQUARE
from ..py.techniques.record import BETWEEN_FRAMES, FrameAttentionRecorder, HeadsKept
from ..py.views.live_heatmap import LiveHeatmap
from . import _inputs as shared


class TraceAttentionNode(io.ComfyNode):
    """MODEL -> MODEL that is watched, and the TRACE from which pictures are drawn."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TraceAttention",
            display_name="Trace Attention",
            category=shared.DIAGNOSTICS,
            description="Watches, while the model samples, how much each frame attends to every other and how spread out each "
            "attention is, and shows the Spectral Tension of every block and step live. It only observes: the video is "
            "bit-identical to one without it. It sees what all techniques on the model do, wherever it is in the chain.",
            search_aliases=["record attention", "attention map", "spectral tension", "live preview", "diagnostics"],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # else the host's cache hands the id of another node with the same inputs to this one
            inputs=[
                io.Model.Input("model", tooltip="A video model, with or without techniques on it."),
                *shared.window_inputs(),
                shared.blocks_input(),
                *shared.estimator_inputs(),
                io.Int.Input(
                    "entropy_rows",
                    default=64,
                    min=0,
                    max=4096,
                    advanced=True,
                    tooltip="Query rows of each head from which the entropy of the pattern is measured, for Entropy Profile, in "
                    "every attention of a block. 64 is enough; 0 = not measured.",
                ),
                *_head_inputs(),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="The watched model: connect it to the sampler. During sampling the tension is drawn under this node.",
                ),
                shared.Trace.Output(display_name="trace", tooltip="For the drawing nodes, together with the sampler's latent."),
            ],
        )

    @classmethod
    def execute(
        cls, model, start_percent, end_percent, blocks, estimator, rows, entropy_rows, head_blocks="", head_steps=""
    ) -> io.NodeOutput:
        """Attaches the recorder to a clone of the model."""
        by_head = shared.numbers(head_blocks, "block numbers")
        kinds = SQUARE | {"cross"} if entropy_rows else BETWEEN_FRAMES
        settings = FrameAttentionRecorder(
            estimator=Estimator(estimator, rows),
            entropy_rows=entropy_rows,
            heads=by_head and HeadsKept(by_head, shared.numbers(head_steps, "step numbers")),
            window=Window(start_percent, end_percent),
            where=Where(kinds=kinds, blocks=shared.numbers(blocks, "block numbers")),
            live=Live(cls.hidden.unique_id, LiveHeatmap) if cls.hidden and cls.hidden.unique_id else None,
        )
        recorder = recording(model, settings)
        return io.NodeOutput(attach(model, recorder), recorder)


def _head_inputs() -> list[io.Input]:
    return [
        io.String.Input(
            "head_blocks",
            default="",
            optional=True,
            advanced=True,
            placeholder="none",
            tooltip="Blocks in which the matrix of every head is kept for Frame Attention, such as 3, 12. They take heads x "
            "frames x frames x 4 bytes for each block, step and side of guidance; the log states the total. Empty = none.",
        ),
        io.String.Input(
            "head_steps",
            default="",
            optional=True,
            advanced=True,
            placeholder="all",
            tooltip="Steps at which the matrix of every head is kept, counted from 0, such as 0, 10, 20. Empty = all of them.",
        ),
    ]
