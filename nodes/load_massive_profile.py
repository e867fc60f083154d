"""Node: Load Massive Profile."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.records.profile_file import load
from ..py.views.massive import massive_report
from . import _inputs as shared
from . import _massive as massive
from ._files import known_names, unknown


class LoadMassiveProfileNode(io.ComfyNode):
    """A file by name -> profile."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_LoadMassiveProfile",
            display_name="Load Massive Profile",
            category=shared.DIAGNOSTICS,
            description="Loads a massive-activation profile that Save Massive Profile saved. STAS refuses it on a model of "
            "another shape.",
            search_aliases=["open massive activations", "import profile", "STAS channels"],
            inputs=[massive.name_input()],
            outputs=[
                massive.Profile.Output(
                    display_name="profile", tooltip="For STAS, Activation Probe, or a report's earlier input."
                ),
                io.String.Output(display_name="report", tooltip="The profile as text: a table, then what would be steered."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name) -> float:
        """Changes when the file does. A linked name is not known yet (None)."""
        if name is None:
            return unknown()
        path = massive.profile_path(name)
        return path.stat().st_mtime_ns if path.is_file() else 0

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        """Reads the profile."""
        path = massive.profile_path(name)
        if not path.is_file():
            known = ", ".join(known_names(path.parent)) or "none yet"
            raise TemporalAttentionError(
                f"the name of a profile in {path.parent} ({known})", repr(name), "Save one first, or choose one of these."
            )
        profile = load(path)
        return io.NodeOutput(profile, massive_report(profile, [], massive.wanted_block(profile)))
