"""Node: Save Massive Profile."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.records.profile_file import save
from . import _inputs as shared
from . import _massive as massive


class SaveMassiveProfileNode(io.ComfyNode):
    """Profile -> a file by name."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_SaveMassiveProfile",
            display_name="Save Massive Profile",
            category=shared.DIAGNOSTICS,
            description="Saves a model's massive-activation profile in ComfyUI's output folder, so that the model has to be "
            "measured only once. A profile with the same name is overwritten.",
            search_aliases=["store massive activations", "export profile", "STAS channels"],
            is_output_node=True,
            inputs=[
                massive.Profile.Input("profile", tooltip="The profile from Massive Activation Report."),
                massive.name_input(),
            ],
            outputs=[io.String.Output(display_name="file", tooltip="The file that was written.")],
        )

    @classmethod
    def execute(cls, profile, name) -> io.NodeOutput:
        """Writes the profile."""
        path = massive.profile_path(name)
        save(profile, path)
        return io.NodeOutput(str(path), ui=ui.PreviewText(str(path)))
