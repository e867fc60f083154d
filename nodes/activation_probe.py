"""Node: Activation Probe."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Window
from ..py.host.attach import attach
from ..py.techniques.activation_probe import ACTIONS, SCOPES, ActivationProbe
from . import _inputs as shared
from . import _massive as massive
from ._target import target


class ActivationProbeNode(io.ComfyNode):
    """MODEL -> MODEL in which chosen activations are zeroed, amplified or set."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_ActivationProbe",
            display_name="Activation Probe",
            category=shared.DIAGNOSTICS,
            description="Shows what massive activations are for: zeroes them, amplifies them, or sets them to a multiple of "
            "their maximum, at all tokens or in the first latent frame only (Fig. 3 of the STAS paper). Expect damage: to "
            "improve a video use STAS.",
            search_aliases=["massive activations", "ablate channels", "detail guidance", "zero activations"],
            inputs=[
                io.Model.Input("model", tooltip="A video model."),
                massive.profile_input(),
                io.Combo.Input(
                    "action",
                    options=list(ACTIONS),
                    default=ACTIONS[0],
                    tooltip="zero: set them to 0. amplify: multiply them by factor. set to maximum: give each the magnitude of "
                    "the largest one in the video, times factor, keeping its sign.",
                ),
                io.Combo.Input(
                    "tokens",
                    options=list(SCOPES),
                    default="all tokens",
                    tooltip="Which video tokens are changed: all, or those of the first latent frame.",
                ),
                io.Float.Input(
                    "factor",
                    default=2.5,
                    min=-100.0,
                    max=100.0,
                    step=0.1,
                    tooltip="For amplify and set to maximum. The paper uses 2.5. Amplifying by 1 changes nothing at all.",
                ),
                massive.channels_input(),
                massive.blocks_input(),
                *shared.window_inputs(),
                shared.branch_input("Act on"),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model", tooltip="The model with the probe attached. Techniques stack in node order."
                ),
                io.String.Output(
                    display_name="settings",
                    tooltip="Which channels of which block are changed, and where that choice comes from.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, action, tokens, factor, channels, blocks, start_percent, end_percent, branch, profile=None
    ) -> io.NodeOutput:
        """Attaches the probe to a clone of the model."""
        found = target(model, channels, blocks, profile)
        technique = ActivationProbe(
            channels=found.channels,
            action=action,
            factor=factor,
            scope=tokens,
            window=Window(start_percent, end_percent),
            where=found.where,
            branch=shared.BRANCHES[branch],
        )
        by = "" if action == "zero" else f", factor {factor:g}"
        return io.NodeOutput(attach(model, technique), f"{found.said}; {action} at {tokens}{by}")
