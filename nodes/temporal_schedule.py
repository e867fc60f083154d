"""Node: Temporal Schedule."""

from __future__ import annotations

import numpy as np
from comfy_api.latest import io

from comfy_api.input import CurveInput  # isort: skip (it imports comfy_api.latest, which imports it)

from ..py.core.errors import TemporalAttentionError
from ..py.prompts.curves import INTERPOLATIONS, Samples
from ..py.prompts.schedule import parse_schedule
from ..py.prompts.tempo import Tempo, Track
from . import _inputs as shared
from . import _tempo

CURVE_SAMPLES = 1001


class TemporalScheduleNode(io.ComfyNode):
    """Text and a curve -> TEMPO, IMAGE: when each phrase of the prompt is wanted."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TemporalSchedule",
            display_name="Temporal Schedule",
            category=shared.CATEGORY,
            description="Sets when each word or phrase of the prompt should be visible, one line per phrase, in video frames, "
            "seconds or percents, and draws it over the frames of the clip. For TempoControl.",
            search_aliases=["TempoControl", "tempo", "prompt schedule", "keyframes", "timeline", "when", "temporal control"],
            inputs=[
                io.String.Input(
                    "schedule",
                    default="",
                    multiline=True,
                    placeholder="cat: 0=0, 2s=1, 4s=0\ndog [linear]: 0%=0, 100%=1\nred window",
                    tooltip="One line per phrase, exactly as it stands in the prompt, then places and values: 0 = not visible, "
                    "1 = visible. Places: 12 is a video frame, 2s seconds, 50% of the clip. A phrase on its own is wanted "
                    "throughout. [hold], [linear] or [smooth] after the phrase; # begins a comment.",
                ),
                _tempo.fps_input(),
                io.Combo.Input(
                    "interpolation",
                    options=list(INTERPOLATIONS),
                    default=INTERPOLATIONS[0],
                    tooltip="How to get from one point to the next, for lines that do not set it themselves. hold: keep the "
                    "previous point's value. linear: a straight line. smooth: ease in and out.",
                ),
                *_tempo.clip_inputs(),
                io.Custom("CURVE").Input(
                    "curve",
                    optional=True,
                    extra_dict={"forceInput": True},
                    tooltip="A curve from the Curve Editor, for one more phrase: its left end is the first frame, its right end "
                    "the last.",
                ),
                io.String.Input(
                    "curve_phrase",
                    default="",
                    advanced=True,
                    placeholder="cat",
                    tooltip="The phrase of the prompt that the curve is for. Ignored if no curve is connected.",
                ),
            ],
            outputs=_tempo.outputs(),
        )

    @classmethod
    def execute(
        cls, schedule, fps, interpolation, frames, temporal_compression, curve_phrase="", tempo=None, samples=None, curve=None
    ) -> io.NodeOutput:
        """Reads the text and the curve, and draws them."""
        tracks = tempo.tracks if tempo else ()
        tracks += () if curve is None else (_drawn(curve_phrase, curve),)
        if schedule.strip() or not tracks:
            tracks += parse_schedule(schedule).tempo(fps, interpolation).tracks
        clip = _tempo.drawn_clip(frames, temporal_compression, samples)
        return _tempo.shown(cls, Tempo(tracks), fps, clip)


def _drawn(phrase: str, curve) -> Track:
    """A track along the host's curve, which a literal in an API prompt gives as points."""
    if not phrase.strip():
        raise TemporalAttentionError("a phrase for the curve", "none", "Write it into curve_phrase.")
    values = CurveInput.from_raw(curve).interp_array(np.linspace(0, 1, CURVE_SAMPLES))
    return Track(" ".join(phrase.split()), Samples(tuple(values.tolist())))
