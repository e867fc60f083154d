"""Node: Word Attention."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.core.errors import TemporalAttentionError
from ..py.core.intervention import Window
from ..py.views.word_attention import word_frames
from ..py.views.word_maps import word_map
from . import _inputs as shared
from . import _tempo


class WordAttentionNode(io.ComfyNode):
    """TRACE and decoded frames -> IMAGE: a heatmap of one phrase's attention over the video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_WordAttention",
            display_name="Word Attention",
            category=shared.DIAGNOSTICS,
            description="Shows where and when a word of the prompt draws attention: a heatmap over the decoded frames, one "
            "picture per frame, with the word's signal over time and its schedule below. Connect it to a video node.",
            search_aliases=["cross attention map", "DAAM", "word heatmap", "TempoControl", "attention overlay"],
            is_output_node=True,
            inputs=[
                *shared.trace_inputs(node=_tempo.TRACER),
                io.Image.Input("images", optional=True, tooltip="The decoded video. Without it the heatmap is drawn on its own."),
                io.String.Input(
                    "phrase", default="", placeholder="the first", tooltip="A phrase of the schedule. Empty = the first one."
                ),
                io.Int.Input(
                    "sample",
                    default=0,
                    min=0,
                    max=shared.LARGEST_NUMBER,
                    advanced=True,
                    tooltip="Which video of a batch, counted from 0. images must contain only that video.",
                ),
                *shared.window_inputs(why=" The picture is the mean over the steps between both percents."),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="A picture for each video frame, 640 pixels wide.")],
        )

    @classmethod
    def execute(cls, trace, samples, phrase, sample, start_percent, end_percent, images=None) -> io.NodeOutput:
        """Draws the run that returned `samples`."""
        found = _tempo.optimised_run(trace, samples)
        number = _number(trace.words.tempo.phrases, phrase)
        maps = word_map(found.trace, number, sample, Window(start_percent, end_percent))
        frames = word_frames(maps, trace.words, number, images, shared.provenance(found))
        return io.NodeOutput(frames, ui=ui.PreviewImage(frames[:1], cls=cls))


def _number(phrases: tuple[str, ...], phrase: str) -> int:
    wanted = " ".join(phrase.split()).lower()
    lowered = [one.lower() for one in phrases]
    if wanted and wanted not in lowered:
        raise TemporalAttentionError(f"one of the recorded phrases ({', '.join(phrases)})", repr(phrase), "Choose one of these.")
    return lowered.index(wanted) if wanted else 0
