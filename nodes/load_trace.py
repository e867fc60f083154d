"""Node: Load Trace."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.records.trace_file import load
from ..py.views.run_facts import run_facts_text
from . import _inputs as shared
from ._files import unknown
from ._traces import trace_path


class LoadTraceNode(io.ComfyNode):
    """A file by name -> TRACE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_LoadTrace",
            display_name="Load Trace",
            category=shared.DIAGNOSTICS,
            description="Loads a trace that Save Trace saved. Connect it to any node that draws a trace: no latent is needed.",
            search_aliases=["open trace", "import attention", "read trace"],
            inputs=[
                io.String.Input(
                    "name",
                    default="trace",
                    tooltip="Name of the file in the folder traces of the output folder, such as trace_00003_. Without the "
                    "number the newest file of that name is loaded. Or connect the file output of Save Trace.",
                )
            ],
            outputs=[
                shared.Trace.Output(display_name="trace", tooltip="For the nodes that draw or compare traces."),
                io.String.Output(display_name="facts", tooltip="Model, sampler, seed, size and techniques of the run, as text."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name) -> str | float:
        """Changes when another file is the newest of that name, or the file does. A linked name is not known yet (None)."""
        if name is None:
            return unknown()
        path = trace_path(name)
        return f"{path.name} {path.stat().st_mtime_ns}"

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        """Reads the trace."""
        path = trace_path(name)
        trace = load(path)
        return io.NodeOutput(trace, run_facts_text(trace, path.stem))
