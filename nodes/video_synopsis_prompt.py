"""Node: Video Synopsis Prompt."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.core.frame_text import KeyMark
from ..py.host.attach import attach
from ..py.host.families import adapter_of, blocks_of
from ..py.host.key_texts import KEY
from ..py.maths.text_mixture import INTERPOLATIONS
from ..py.prompts.key_places import Placement
from ..py.prompts.key_prompts import parse_key_prompts
from ..py.techniques.vsp import VideoSynopsisPrompting
from . import _inputs as shared

READS_TEXT = "Wan, LTX, Cosmos, Kandinsky, HunyuanVideo, CogVideoX or Mochi"
EXAMPLE = "a red circle on black\na blue circle on black"


class VideoSynopsisPromptNode(io.ComfyNode):
    """MODEL, CLIP and key prompts -> MODEL and CONDITIONING in which every frame reads its own text."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_VideoSynopsisPrompt",
            display_name="Video Synopsis Prompt (VSP)",
            category=shared.CATEGORY,
            description="Several key prompts along the video: each latent frame reads the text for its own moment, so that one "
            "clip can go through several states. Connect both outputs.",
            search_aliases=[
                "VSTAR",
                "VSP",
                "synopsis",
                "prompt travel",
                "prompt schedule",
                "key prompts",
                "prompt interpolation",
            ],
            inputs=[
                io.Model.Input("model", tooltip="A video model that reads text."),
                io.Clip.Input("clip", tooltip="The text encoder of the model."),
                io.String.Input(
                    "key_prompts",
                    default=EXAMPLE,
                    multiline=True,
                    tooltip="One key prompt per line, spread evenly over the video; or each with its place in front: 0s: text, "
                    "50%: text, f40: text (video frame). Parse Synopsis turns a language model's answer into these lines.",
                ),
                io.Float.Input(
                    "transition",
                    default=0.25,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of the interval between two key prompts over which they cross-fade. 0 switches at once, 1 "
                    "fades all the way (the paper), which suits gradual changes but can make things vanish half-way.",
                ),
                io.Float.Input(
                    "fps",
                    default=16.0,
                    min=0.01,
                    max=1000.0,
                    step=0.01,
                    tooltip="Frames per second of the finished video. Only used if places are given in seconds.",
                ),
                io.Combo.Input(
                    "interpolation",
                    options=list(INTERPOLATIONS),
                    default=INTERPOLATIONS[0],
                    advanced=True,
                    tooltip="How two texts are mixed during a cross-fade. linear is the paper's; slerp rotates one into the "
                    "other.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model that gives each frame its text. Techniques stack."),
                io.Conditioning.Output(
                    display_name="positive",
                    tooltip="The key prompts. Use it with this model; another model would average all of them.",
                ),
            ],
        )

    @classmethod
    def execute(cls, model, clip, key_prompts, transition, fps, interpolation) -> io.NodeOutput:
        """Attaches VSP to a clone of the model and encodes the key prompts."""
        prompts = parse_key_prompts(key_prompts)
        check_reads_text(model)
        placement = Placement(prompts, model.model.latent_format.temporal_downscale_ratio, fps)
        technique = VideoSynopsisPrompting(transition=transition, interpolation=interpolation)
        encoded = [_encoded(clip, prompt.text) for prompt in prompts]
        marked = [[text, {**options, KEY: KeyMark(placement, i, len(prompts))}] for i, (text, options) in enumerate(encoded)]
        return io.NodeOutput(attach(model, technique), marked)


def _encoded(clip, text: str) -> list:
    """The one conditioning of a text."""
    found = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    if len(found) != 1:
        raise TemporalAttentionError(
            "one conditioning for each key prompt",
            f"{len(found)} (the CLIP has hooks with a schedule)",
            "Connect the CLIP without scheduled hooks.",
        )
    return found[0]


def check_reads_text(model) -> None:
    """Raises TemporalAttentionError where the frames of a MODEL can read no texts of their own."""
    adapter = adapter_of(model)
    sites = [site for block in blocks_of(model) for site in block.sites]
    if not adapter.side_by_side and not any(site.keys == "text" for site in sites):
        raise TemporalAttentionError(
            "a model in which each frame can read its own text",
            f"{adapter.family}, in which that is not possible",
            f"Use {READS_TEXT}.",
        )
