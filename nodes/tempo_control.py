"""Node: TempoControl."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.core.intervention import Where, Window
from ..py.host.attach import attach, recording
from ..py.host.families import adapter_of, blocks_of
from ..py.host.tokens_of_text import encode_text
from ..py.maths.tempo_losses import ENTROPY_WEIGHT, MASS_WEIGHT
from ..py.prompts.tempo import Tempo
from ..py.prompts.timed_words import TimedWords
from ..py.techniques.tempo_control import TempoControl
from ..py.techniques.word_maps import KINDS
from ..py.techniques.word_record import WordRecorder
from . import _inputs as shared
from . import _tempo

READS_TEXT = "Wan, HunyuanVideo, LTX, CogVideoX, Mochi, Cosmos, Kandinsky or MiniMax H3"


class TempoControlNode(io.ComfyNode):
    """MODEL, CLIP, prompt and TEMPO -> MODEL whose phrases come when they are wanted, and the TRACE of their attention."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TempoControl",
            display_name="TempoControl",
            category=shared.CATEGORY,
            description="Controls when a word of the prompt appears: in the first steps it changes the latent until the word's "
            "attention follows the schedule. Gradients cost time and memory; works on any video model that reads text.",
            search_aliases=[
                "temporal control",
                "when",
                "timing",
                "word timing",
                "prompt schedule",
                "appear",
                "attention guidance",
            ],
            inputs=[
                io.Model.Input("model", tooltip="A video model that reads text."),
                io.Clip.Input("clip", tooltip="The text encoder of the positive prompt."),
                _tempo.Socket.Input("tempo", tooltip="When each phrase is wanted: from Temporal Schedule or Audio Schedule."),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="Exactly the text of the positive prompt, to find the phrases in it. Connect the same text to both.",
                ),
                *_strength_inputs(),
                *_loss_inputs(),
                *shared.window_inputs(0.2, " Later steps no longer decide when things appear."),
                shared.blocks_input(),
                shared.keep_attention_input(),
                io.Float.Input(
                    "wanted_mass",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="How strongly lambda_magnitude also asks for more attention where a phrase is wanted. Raise it if a "
                    "thing does not appear; it may then grow, appear twice or lose its shape. 1 is the paper's value.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with TempoControl. Techniques stack."),
                shared.Trace.Output(
                    display_name="trace",
                    tooltip="Where and when each phrase draws attention: for Word Attention and Tempo Report, with the "
                    "sampler's latent. Also recorded with 0 iterations, to see how the model times its words by itself.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, clip, tempo, prompt, learning_rate, iterations, stop_correlation, stop_ratio, lambda_magnitude,
        lambda_entropy, start_percent, end_percent, blocks, keep_attention, wanted_mass,
    ) -> io.NodeOutput:  # fmt: skip
        """Finds the phrases in the prompt and attaches the technique, and a recorder, to a clone of the model."""
        where = Where(KINDS, shared.numbers(blocks, "block numbers"))
        check_reads_text(model)
        words = _words(model, clip, prompt, tempo)
        technique = TempoControl(
            words=words,
            lr=learning_rate,
            iterations=iterations,
            mass_weight=lambda_magnitude,
            entropy_weight=lambda_entropy,
            wanted_mass=wanted_mass,
            stop_correlation=stop_correlation,
            stop_ratio=stop_ratio or None,
            keep_attention=keep_attention,
            window=Window(start_percent, end_percent),
            where=where,
        )
        recorder = recording(model, WordRecorder(words=words, where=where))
        return io.NodeOutput(attach(model, technique, recorder), recorder)


def _strength_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "learning_rate",
            default=5e-4,
            min=0.0,
            max=1.0,
            step=1e-4,
            round=1e-6,
            tooltip="How far one iteration moves the latent. 0.0005 for one thing; 0.001 for several phrases, motion or sound. "
            "0 changes nothing. It is scaled to the latent's size, so the same value works for other models and sizes.",
        ),
        io.Int.Input(
            "iterations",
            default=10,
            min=0,
            max=200,
            tooltip="Maximum updates of the latent before each step. 0 only records. Fewer are faster but follow the schedule "
            "less closely.",
        ),
        io.Float.Input(
            "stop_correlation",
            default=0.9,
            min=-1.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip="Updates stop once the attention of every phrase follows its schedule this closely; 0.85 for motion. Lower "
            "is faster. 1 never stops early.",
        ),
        io.Float.Input(
            "stop_ratio",
            default=0.6,
            min=0.0,
            max=10.0,
            step=0.05,
            advanced=True,
            tooltip="Also required to stop: attention on unwanted frames falls to this share of that on wanted frames. Lower "
            "follows the schedule more closely and costs more picture quality. 0 = not required, as in the paper; on the "
            "demo model that stops too soon.",
        ),
    ]


def _loss_inputs() -> list[io.Input]:
    common = {"min": 0.0, "max": 1000.0, "step": 0.05, "advanced": True}
    return [
        io.Float.Input(
            "lambda_magnitude",
            default=MASS_WEIGHT,
            tooltip="Lambda 1: less attention where a phrase is not wanted (and more where it is, see wanted_mass). Raise it if "
            "the thing stays visible throughout (for sound: 1); it costs quality.",
            **common,
        ),
        io.Float.Input(
            "lambda_entropy",
            default=ENTROPY_WEIGHT,
            tooltip="Lambda 2: keeps the attention of a phrase in one place. Raise it if things turn into others or lose their "
            "shape; too high, and they no longer disappear.",
            **common,
        ),
    ]


def _words(model, clip, prompt: str, tempo: Tempo) -> TimedWords:
    if not prompt.strip():
        raise TemporalAttentionError("the positive prompt", "an empty text", "Connect the text of the positive prompt to prompt.")
    encoded = encode_text(clip, prompt, tempo.phrases)
    positions = tuple(encoded.positions[phrase] for phrase in tempo.phrases)
    return TimedWords(tempo, positions, encoded.context, model.model.latent_format.temporal_downscale_ratio)


def check_reads_text(model) -> None:
    """Raises TemporalAttentionError where the video of a MODEL attends to no text."""
    sites = [site for block in blocks_of(model) for site in block.sites]
    if not any(site.kind == "joint" or (site.kind == "cross" and site.keys == "text") for site in sites):
        raise TemporalAttentionError(
            "a model whose video attends to text",
            f"{adapter_of(model).family}, where this pack finds no attention to text",
            f"Use {READS_TEXT}.",
        )
