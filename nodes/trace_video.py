"""Node: Trace Video."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Where
from ..py.host.attach import attach, recording
from ..py.host.denoise_once import denoise_once
from ..py.techniques.estimator import Estimator
from ..py.techniques.record import FrameAttentionRecorder
from . import _inputs as shared


class TraceVideoNode(io.ComfyNode):
    """MODEL, LATENT, CONDITIONING -> TRACE, LATENT: the attention of an existing video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TraceVideo",
            display_name="Trace Video",
            category=shared.DIAGNOSTICS,
            description="Shows how the model attends in an existing video, such as real footage: adds noise to its latent, lets "
            "the model predict once, and records that. Compare it with generated videos (Fig. 3 of VSTAR).",
            search_aliases=["attention of real videos", "VSTAR", "record attention", "reference video", "inversion"],
            inputs=[
                io.Model.Input("model", tooltip="A video model, with or without techniques on it."),
                io.Latent.Input("latent", tooltip="The video, encoded with this model's VAE."),
                io.Conditioning.Input("positive", tooltip="What the video shows, in words. There is no guidance."),
                io.Float.Input(
                    "percent",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much noise is added, given as the point in a run with that much noise: 0 = pure noise, 1 = "
                    "almost none. Same scale as start_percent and end_percent, so compare with a run's step at that point.",
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
                shared.Trace.Output(display_name="trace", tooltip="For the drawing nodes, together with the latent."),
                io.Latent.Output(
                    display_name="latent",
                    tooltip="The model's prediction of the clean video. It tells the drawing nodes which run is meant.",
                ),
            ],
        )

    @classmethod
    def execute(cls, model, latent, positive, percent, seed, blocks, estimator, rows) -> io.NodeOutput:
        """Records one prediction."""
        where = Where(blocks=shared.numbers(blocks, "block numbers"))
        recorder = recording(model, FrameAttentionRecorder(estimator=Estimator(estimator, rows), where=where))
        return io.NodeOutput(recorder, denoise_once(attach(model, recorder), latent, positive, percent, seed))
