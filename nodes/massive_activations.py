"""Node: Massive Activations."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Where, Window
from ..py.host.attach import attach, recording
from ..py.techniques.massive_record import MassiveActivationRecorder
from . import _inputs as shared
from . import _massive as massive


class MassiveActivationsNode(io.ComfyNode):
    """MODEL -> MODEL whose block outputs are watched, and the trace from which reports and charts are made."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_MassiveActivations",
            display_name="Massive Activations",
            category=shared.DIAGNOSTICS,
            description="Watches the output of every block while the model samples, to find its massive activations: the few "
            "channels whose values are 50 times larger than the others. It only observes: the video is bit-identical to one "
            "without it.",
            search_aliases=["STAS", "outlier channels", "activation peaks", "find massive channels", "hidden state"],
            inputs=[
                io.Model.Input("model", tooltip="A video model. To measure the model itself, use it without techniques."),
                *shared.window_inputs(),
                shared.blocks_input(),
                io.Float.Input(
                    "boundary_percent",
                    default=8.0,
                    min=0.0,
                    max=50.0,
                    step=0.5,
                    advanced=True,
                    tooltip="Share of the tokens at each end of a latent frame that counts as its border, in percent.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The watched model: connect it to the sampler."),
                massive.MassiveTrace.Output(
                    display_name="trace",
                    tooltip="For Massive Activation Report and Massive Activation Chart, together with the sampler's latent.",
                ),
            ],
        )

    @classmethod
    def execute(cls, model, start_percent, end_percent, blocks, boundary_percent) -> io.NodeOutput:
        """Attaches the recorder to a clone of the model."""
        window, where = Window(start_percent, end_percent), Where(blocks=shared.numbers(blocks, "block numbers"))
        recorder = recording(model, MassiveActivationRecorder(percent=boundary_percent, window=window, where=where))
        return io.NodeOutput(attach(model, recorder), recorder)
