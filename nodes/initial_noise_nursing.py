"""Node: Initial Noise Nursing."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.core.intervention import Where
from ..py.core.noise import NoiseDistribution
from ..py.host.watch import Watch
from ..py.techniques.estimator import Estimator
from ..py.techniques.frame_attention_match import FrameAttentionTap
from ..py.techniques.noise_nursing import NoiseNursing
from ..py.views.nursing_chart import nursing_chart
from . import _inputs as shared
from . import _nursing as nursing


class InitialNoiseNursingNode(io.ComfyNode):
    """MODEL, CONDITIONING, NOISE, LATENT, reference LATENT -> NOISE, IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_InitialNoiseNursing",
            display_name="Initial Noise Nursing",
            category=shared.CATEGORY,
            description="Searches for initial noise with which the model attends between frames as it does in a reference "
            "video, so that the new video changes over time as the reference does (optimisation-based nursing, VSTAR appendix "
            "B). Slow.",
            search_aliases=["VSTAR", "noise optimization", "correlated noise", "reference video", "dynamics transfer"],
            is_output_node=True,
            is_experimental=True,
            inputs=[
                io.Model.Input("model", tooltip="The video model, as it goes to the guider."),
                io.Conditioning.Input("positive", tooltip="The prompt of the new video, as it goes to the guider."),
                io.Noise.Input("noise", tooltip="Where the noise comes from, such as RandomNoise. Its seed stays the seed."),
                io.Latent.Input("latent_image", tooltip="The empty latent that also goes to Sampler Custom Advanced."),
                io.Latent.Input(
                    "reference",
                    tooltip="A video that changes the way yours should, encoded with this model's VAE: same number of frames, "
                    "any size.",
                ),
                *_search_inputs(),
                shared.blocks_input(),
                *shared.estimator_inputs(),
                shared.keep_attention_input(),
            ],
            outputs=[
                io.Noise.Output(display_name="noise", tooltip="For Sampler Custom Advanced, in place of RandomNoise."),
                io.Image.Output(display_name="image", tooltip="How the search went, and the covariance between frames it found."),
            ],
        )

    @classmethod
    def execute(
        cls, model, positive, noise, latent_image, reference, iterations, learning_rate, kl_weight, percent, optimise_mean,
        blocks, estimator, rows, keep_attention,
    ) -> io.NodeOutput:  # fmt: skip
        """Optimises, and draws how it went."""
        settings = NoiseNursing(iterations=iterations, lr=learning_rate, kl_weight=kl_weight, mean=optimise_mean)
        tap = FrameAttentionTap(estimator=Estimator(estimator, rows), where=Where(blocks=shared.numbers(blocks, "block numbers")))
        compared = nursing.Compared(percent, tap, keep_attention)
        latent, reference = nursing.checked(model, latent_image, reference)
        if not settings.acts():
            return _output(cls, noise, NoiseDistribution.white(noise.generate_noise(latent)), [])
        given = model, positive, noise, latent, reference, settings, compared, Watch(loops=1)
        nursed, history = nursing.search(*given)
        return _output(cls, nursed, nursed.distribution, history)


def _output(cls, noise, found: NoiseDistribution, history: list) -> io.NodeOutput:
    image = nursing_chart(found, history)
    return io.NodeOutput(noise, image, ui=ui.PreviewImage(image, cls=cls))


def _search_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            "iterations",
            default=20,
            min=0,
            max=500,
            tooltip="Updates of the noise; each takes about as long as nine steps without guidance. 0 = leave the noise as it "
            "is.",
        ),
        io.Float.Input(
            "learning_rate",
            default=0.05,
            min=0.0,
            max=1.0,
            step=0.005,
            round=1e-5,
            tooltip="How far one update moves the mean, the variance and the correlation of the noise. 0 changes nothing.",
        ),
        io.Float.Input(
            "kl_weight",
            default=0.1,
            min=0.0,
            max=1000.0,
            step=0.01,
            round=1e-5,
            tooltip="Lambda: keeps the noise close to what the model was trained on. Raise it if the picture suffers, lower it "
            "if nothing changes.",
        ),
        io.Float.Input(
            "percent",
            default=0.5,
            min=0.01,
            max=0.95,
            step=0.01,
            tooltip="Where in a run the attentions are compared. Too early, the reference is buried in noise and says nothing; "
            "too late, the new video is still only a guess.",
        ),
        io.Boolean.Input(
            "optimise_mean",
            default=True,
            advanced=True,
            tooltip="Give every value of the noise its own mean. Off: only the variance and the correlation between frames are "
            "optimised, two numbers in all.",
        ),
    ]
