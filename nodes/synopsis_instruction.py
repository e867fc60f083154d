"""Node: Synopsis Instruction."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.text.instruction import synopsis_instruction
from . import _inputs as shared


class SynopsisInstructionNode(io.ComfyNode):
    """STRING -> STRING: the instruction with which a language model writes a video synopsis."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_SynopsisInstruction",
            display_name="Synopsis Instruction",
            category=shared.CATEGORY,
            description="Writes an instruction that tells a language model to split a video prompt into key states, with one "
            "worked example. Connect it to Generate Text or another language-model node; this node itself sends nothing.",
            search_aliases=["VSP", "VSTAR", "video synopsis prompting", "LLM", "storyboard", "key prompts", "TextGenerate"],
            inputs=[
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="What the whole video shows, including the change, such as: a landscape from winter to spring.",
                ),
                io.Int.Input(
                    "states",
                    default=4,
                    min=0,
                    max=32,
                    tooltip="How many key states to ask for. 0 = as many as the change needs. Allow a second or more of video "
                    "for each: if states are too close together, none is reached.",
                ),
                io.Float.Input(
                    "seconds",
                    default=0.0,
                    min=0.0,
                    max=3600.0,
                    step=0.1,
                    tooltip="Length of the video: the answer then says at which second each state is reached. 0 = no times; the "
                    "states are spread evenly.",
                ),
            ],
            outputs=[io.String.Output(display_name="instruction", tooltip="For the prompt input of the language-model node.")],
        )

    @classmethod
    def execute(cls, prompt, states, seconds) -> io.NodeOutput:
        """Writes the instruction."""
        return io.NodeOutput(synopsis_instruction(prompt, states, seconds))
