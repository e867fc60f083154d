"""Node: Similarity by Interval."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.core.errors import TemporalAttentionError
from ..py.core.trace import Trace
from ..py.views.interval_chart import ATTENTION, SIMILARITY, Curve, Panel, interval_chart
from ..py.views.interval_profiles import attention_profile, profiles_by_block, similarity_profile
from . import _inputs as shared

WHEN = {"after": (True,), "before": (False,), "before and after": (False, True)}  # -> after the edits?
ALL, EACH = "mean of all", "each block"


class SimilarityByIntervalNode(io.ComfyNode):
    """TRACE and TA_FRAME_SIMILARITY, once or twice -> IMAGE: both against the interval between two frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_SimilarityByInterval",
            display_name="Similarity by Interval",
            category=shared.DIAGNOSTICS,
            description="Draws how alike two frames are, or how much they attend to each other, against how far apart they are, "
            "for one video or two. In a video that changes, the curves fall; in a static one they are flat (Fig. S.2 of VSTAR).",
            search_aliases=["VSTAR", "interval", "video dynamics", "compare traces", "band matrix", "similarity distribution"],
            is_output_node=True,
            inputs=[
                *_video_inputs("", "the first video"),
                *_video_inputs("other_", "a second video, to compare"),
                io.String.Input("name", default="first", tooltip="What the chart calls the first video."),
                io.String.Input("other_name", default="second", tooltip="What the chart calls the second video."),
                io.Combo.Input(
                    "blocks_as",
                    options=[ALL, EACH],
                    default=ALL,
                    tooltip="mean of all: one curve per video; its band holds four out of five pairs of frames. each block: one "
                    "curve per block, one panel per video.",
                ),
                io.Combo.Input(
                    "when",
                    options=list(WHEN),
                    default="after",
                    tooltip="Attention after all techniques had acted, before (as the model made it), or before as a dashed line "
                    "beside after.",
                ),
                shared.blocks_input(),
                shared.steps_input("Sampling steps to draw, such as 0-3, 12. Empty = all steps."),
                shared.branch_input("Draw"),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The chart, 1024 pixels wide.")],
        )

    @classmethod
    def execute(
        cls, name, other_name, blocks_as, when, blocks, steps, branch, trace=None, samples=None, similarity=None,
        other_trace=None, other_samples=None, other_similarity=None,
    ) -> io.NodeOutput:  # fmt: skip
        """Draws what is connected."""
        videos = [(name, trace, samples, similarity), (other_name, other_trace, other_samples, other_similarity)]
        chosen = shared.numbers(blocks, "block numbers"), shared.numbers(steps, "step numbers"), shared.BRANCHES[branch]
        attention = _by_block if blocks_as == EACH else _together
        panels = attention(_runs(videos), chosen, WHEN[when]) + _similarities(videos)
        if not panels:
            raise TemporalAttentionError(
                "a trace or a similarity", "neither", "Connect Trace Attention, Trace Video or Frame Similarity."
            )
        image = interval_chart(panels)
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))


def _video_inputs(prefix: str, what: str) -> list[io.Input]:
    return [
        shared.Trace.Input(
            f"{prefix}trace", optional=True, tooltip=f"The trace of {what}, from Trace Attention, Trace Video or Load Trace."
        ),
        io.Latent.Input(
            f"{prefix}samples",
            optional=True,
            tooltip=f"The latent that goes with the trace of {what}: needed if that is connected and not loaded from a file.",
        ),
        shared.Similarity.Input(
            f"{prefix}similarity",
            optional=True,
            tooltip=f"How alike the frames of {what} are, from Frame Similarity with stretch turned off.",
        ),
    ]


def _runs(videos) -> list[tuple[int, str, Trace]]:
    """(number of the video, what the chart calls it, its trace) of each video that has one."""
    runs = []
    for video, (name, recorder, samples, _) in enumerate(videos):
        if recorder is not None:
            found = shared.frame_attention_run(recorder, samples)
            runs.append((video, f"{name}{shared.provenance(found)}", found.trace))
    return runs


def _together(runs, chosen, when: tuple[bool, ...]) -> list[Panel]:
    """One panel for the attention of all videos."""
    several = len(when) > 1
    curves = [
        Curve(
            f"{name}, {_when(after)}" if several else name, attention_profile(trace, *chosen, after), video, after or not several
        )
        for video, name, trace in runs
        for after in when
    ]
    return [Panel(f"Attention {'' if several else _when(when[0])}".strip(), ATTENTION, curves)] if curves else []


def _by_block(runs, chosen, when: tuple[bool, ...]) -> list[Panel]:
    """A panel for the attention of each video, before and after one each."""
    return [
        Panel(f"Attention of {name}, {_when(after)}", ATTENTION, blocks=profiles_by_block(trace, *chosen, after))
        for _, name, trace in runs
        for after in when
    ]


def _similarities(videos) -> list[Panel]:
    curves = [
        Curve(f"{name}: {found.source}", similarity_profile(found), video)
        for video, (name, _, _, found) in enumerate(videos)
        if found is not None
    ]
    return [Panel("Similarity", SIMILARITY, curves)] if curves else []


def _when(after: bool) -> str:
    return "after the edits" if after else "as the model made it"
