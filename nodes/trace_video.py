"""Node: Trace Video."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Where
from ..py.host.attach import attach
from ..py.host.denoise_once import denoise_once
from ..py.techniques.estimator import Estimator
from ..py.techniques.record import FrameAttentionRecorder
from . import _inputs as shared


class TraceVideoNode(io.ComfyNode):
    """MODEL, LATENT, CONDITIONING -> TRACE, LATENT: the attention of a video that exists."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TraceVideo",
            display_name="Trace Video",
            category=shared.DIAGNOSTICS,
            description="Shows how the model attends in a video that exists, such as a filmed one: adds noise to its latent, "
            "lets the model predict once, and records that. Compare it with generated videos (Fig. 3 of VSTAR).",
            search_aliases=["attention of real videos", "VSTAR", "record attention", "reference video", "inversion"],
            inputs=[
                io.Model.Input("model", tooltip="A video model, with or without techniques on it."),
                io.Latent.Input("latent", tooltip="The video, encoded by the VAE of this model."),
                io.Conditioning.Input("positive", tooltip="What the video shows, in words. There is no guidance."),
                io.Float.Input(
                    "percent",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much noise is added, as the place in a run that has so much: 0 = nothing but noise, 1 = next to "
                    "none. The same measure as the start and end percents, so compare with a run's step at this place.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="Seed of the noise that is added.",
                ),
                shared.blocks_input(),
                *shared.estimator_inputs(),
            ],
            outputs=[
                shared.Trace.Output(display_name="trace", tooltip="For the nodes that draw, together with the latent."),
                io.Latent.Output(
                    display_name="latent", tooltip="What the model predicts the clean video to be. It says which run is meant."
                ),
            ],
        )

    @classmethod
    def execute(cls, model, latent, positive, percent, seed, blocks, estimator, rows) -> io.NodeOutput:
        """Records one prediction."""
        recorder = FrameAttentionRecorder(
            estimator=Estimator(estimator, rows), where=Where(blocks=shared.numbers(blocks, "block numbers"))
        )
        return io.NodeOutput(recorder, denoise_once(attach(model, recorder), latent, positive, percent, seed))
