"""Node: Parse Synopsis."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.prompts.key_prompts import format_key_prompts
from ..py.text.synopsis import parse_synopsis, synopsis_report
from . import _inputs as shared


class ParseSynopsisNode(io.ComfyNode):
    """STRING -> STRING, STRING: a language model's answer -> key prompts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_ParseSynopsis",
            display_name="Parse Synopsis",
            category=shared.CATEGORY,
            description="Extracts the key prompts from a language model's answer: numbered or bulleted lists, JSON, quotes, "
            "lines with times, frames or percents, with chatter around them. Reports what it left out, and which line it cannot "
            "read.",
            search_aliases=["VSP", "VSTAR", "video synopsis prompting", "LLM", "split text", "list parser", "key prompts"],
            inputs=[
                io.String.Input(
                    "answer",
                    default="",
                    multiline=True,
                    tooltip="The answer to a Synopsis Instruction, as the model gave it. You can also write it by hand.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="key_prompts",
                    tooltip="One key prompt per line, after its place if the answer has one (0s:, 50%: or f8:). For Video "
                    "Synopsis Prompt.",
                ),
                io.String.Output(display_name="report", tooltip="How many there are, where, and which lines were left out."),
            ],
        )

    @classmethod
    def execute(cls, answer) -> io.NodeOutput:
        """Reads the answer."""
        synopsis = parse_synopsis(answer)
        return io.NodeOutput(format_key_prompts(synopsis.prompts), synopsis_report(synopsis))
