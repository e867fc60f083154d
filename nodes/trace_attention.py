"""Node: Trace Attention."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Where, Window
from ..py.core.live import Live
from ..py.host.attach import attach
from ..py.techniques.estimator import Estimator
from ..py.techniques.pattern import SQUARE
from ..py.techniques.record import BETWEEN_FRAMES, FrameAttentionRecorder
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
            description="Watches how much each frame attends to each other one, and how spread out each attention is, while the "
            "model samples, and shows the Spectral Tension of every block and step meanwhile. It only looks: the video is "
            "bit-identical to one without it. It sees what all techniques on the model do, wherever it stands.",
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
            ],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="The watched model: connect it to the sampler. While it runs, the tension is drawn under this node.",
                ),
                shared.Trace.Output(display_name="trace", tooltip="For the nodes that draw, together with the sampler's latent."),
            ],
        )

    @classmethod
    def execute(cls, model, start_percent, end_percent, blocks, estimator, rows, entropy_rows) -> io.NodeOutput:
        """Attaches the recorder to a clone of the model."""
        kinds = SQUARE | {"cross"} if entropy_rows else BETWEEN_FRAMES
        recorder = FrameAttentionRecorder(
            estimator=Estimator(estimator, rows),
            entropy_rows=entropy_rows,
            window=Window(start_percent, end_percent),
            where=Where(kinds=kinds, blocks=shared.numbers(blocks, "block numbers")),
            live=Live(cls.hidden.unique_id, LiveHeatmap) if cls.hidden and cls.hidden.unique_id else None,
        )
        return io.NodeOutput(attach(model, recorder), recorder)
