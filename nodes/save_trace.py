"""Node: Save Trace."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.records.trace_file import save
from . import _inputs as shared
from ._files import folder, numbered
from ._traces import FOLDER


class SaveTraceNode(io.ComfyNode):
    """TRACE -> a numbered file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_SaveTrace",
            display_name="Save Trace",
            category=shared.DIAGNOSTICS,
            description="Saves everything recorded during a run in ComfyUI's output folder, numbered like saved videos, so that "
            "it can be drawn later, or compared with other runs by Trace Set.",
            search_aliases=["store trace", "export attention", "record run", "keep trace"],
            is_output_node=True,
            inputs=[
                *shared.trace_inputs(),
                io.String.Input(
                    "name",
                    default="trace",
                    tooltip="Start of the file's name in the folder traces of the output folder; a number follows. Save runs "
                    "with and without a technique under two names, such as sth and plain: Trace Set pairs them by number.",
                ),
            ],
            outputs=[io.String.Output(display_name="file", tooltip="The file that was written.")],
        )

    @classmethod
    def execute(cls, trace, name, samples=None) -> io.NodeOutput:
        """Writes the run that returned `samples`."""
        kept = shared.very_run(trace, samples)
        path = numbered(folder(FOLDER), name)
        save(kept, path)
        return io.NodeOutput(str(path), ui=ui.PreviewText(str(path)))
