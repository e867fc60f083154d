"""Node: Audio Schedule."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.maths.onsets import onset_strength
from ..py.prompts.curves import Onsets
from ..py.prompts.tempo import Tempo, Track
from . import _inputs as shared
from . import _tempo


class AudioScheduleNode(io.ComfyNode):
    """AUDIO -> TEMPO, IMAGE: a phrase is wanted when sounds begin."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_AudioSchedule",
            display_name="Audio Schedule",
            category=shared.CATEGORY,
            description="Times a word or phrase of the prompt to a soundtrack: it is wanted where sounds begin, such as hits, "
            "steps or beats. The sound starts with the clip. For TempoControl.",
            search_aliases=["TempoControl", "audio reactive", "onset", "beat", "sound to video", "music", "envelope"],
            inputs=[
                io.Audio.Input("audio", tooltip="The soundtrack, from the clip's first frame on."),
                io.String.Input(
                    "phrase",
                    default="",
                    placeholder="hammer hits",
                    tooltip="A word or phrase exactly as it stands in the prompt, such as the verb for what makes the sound.",
                ),
                _tempo.fps_input(),
                *_tempo.clip_inputs(),
            ],
            outputs=_tempo.outputs(),
        )

    @classmethod
    def execute(cls, audio, phrase, fps, frames, temporal_compression, tempo=None, samples=None) -> io.NodeOutput:
        """Listens, and draws what it found."""
        if not phrase.strip():
            raise TemporalAttentionError("a phrase of the prompt", "none", "Write it into phrase.")
        track = Track(" ".join(phrase.split()), Onsets(_strength(audio), fps))
        clip = _tempo.drawn_clip(frames, temporal_compression, samples)
        return _tempo.shown(cls, Tempo((*(tempo.tracks if tempo else ()), track)), fps, clip)


def _strength(audio: dict):
    """Onset strength of one soundtrack. Raises TemporalAttentionError for several, and where no sound begins."""
    waveform = audio["waveform"]
    if waveform.ndim != 3 or waveform.shape[0] != 1 or not waveform.shape[2]:
        raise TemporalAttentionError(
            "one soundtrack, [1, channels, samples]", str(list(waveform.shape)), "Connect a single AUDIO that is not empty."
        )
    strength = onset_strength(waveform[0].cpu(), audio["sample_rate"])
    if not strength.max() > 0:
        raise TemporalAttentionError("a soundtrack in which sounds begin", "silence", "Connect another AUDIO.")
    return strength
