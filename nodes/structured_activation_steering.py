"""Node: Structured Activation Steering."""

from __future__ import annotations

import logging

from comfy_api.latest import io

from ..py.core.intervention import Window
from ..py.host.attach import attach
from ..py.techniques.stas import EARLY_END, RULES, StructuredActivationSteering
from ..py.techniques.stas_presets import GUESSED_ALPHA, GUESSED_PERCENT
from . import _inputs as shared
from . import _massive as massive
from ._target import target

AUTOMATIC = -1.0

log = logging.getLogger("temporal_attention")


class StructuredActivationSteeringNode(io.ComfyNode):
    """MODEL -> MODEL with lifted massive activations at the first latent frame and at frame boundaries."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_StructuredActivationSteering",
            display_name="Structured Activation Steering (STAS)",
            category=shared.CATEGORY,
            description="Raises the few massive channels of one block in the first latent frame and at the borders of the later "
            "ones, early in the run: fewer jumps between latent frames, a steadier subject. Training-free, with no measurable "
            "cost.",
            search_aliases=["STAS", "massive activations", "temporal consistency", "activation steering", "chunk boundary"],
            inputs=[
                io.Model.Input("model", tooltip="A video model."),
                massive.profile_input(),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="How far the activations are moved to their target. 0 changes nothing at all, 1 is the paper's "
                    "value.",
                ),
                massive.channels_input(),
                *_tuning_inputs(),
                massive.blocks_input(),
                *shared.window_inputs(EARLY_END, f" {EARLY_END} = after the first 20 of 50 steps, as in the paper."),
                shared.branch_input("Act on"),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with STAS on it. Techniques stack in node order."),
                io.String.Output(
                    display_name="settings",
                    tooltip="What is steered, where those settings come from, and which of them are guesses.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, strength, channels, alpha, boundary_percent, rule, omega, first_frame, boundaries, blocks, start_percent,
        end_percent, branch, profile=None,
    ) -> io.NodeOutput:  # fmt: skip
        """Attaches STAS to a clone of the model."""
        found = target(model, channels, blocks, profile)
        known = found.preset
        if alpha < 0:
            alpha = known.alpha if known else GUESSED_ALPHA
        if boundary_percent < 0:
            boundary_percent = known.percent if known else GUESSED_PERCENT
        technique = StructuredActivationSteering(
            channels=found.channels,
            alpha=alpha,
            percent=boundary_percent,
            rule=rule,
            omega=omega,
            first_frame=first_frame,
            boundaries=boundaries,
            strength=strength,
            window=Window(start_percent, end_percent),
            where=found.where,
            branch=shared.BRANCHES[branch],
        )
        said = f"{found.said}; alpha {alpha:g}, boundary {boundary_percent:g} %, rule {rule}, strength {strength:g}"
        log.info("Structured Activation Steering: %s", said)
        return io.NodeOutput(attach(model, technique), said)


def _tuning_inputs() -> list[io.Input]:
    """How far, where and by which rule activations are lifted."""
    return [
        io.Float.Input(
            "alpha",
            default=AUTOMATIC,
            min=AUTOMATIC,
            max=20.0,
            step=0.1,
            tooltip="Target of the rule max, as a multiple of the largest magnitude in the video. Below 0 = automatic: the "
            "published value for this model (1.2 to 2.5), or 2 for others.",
        ),
        io.Float.Input(
            "boundary_percent",
            default=AUTOMATIC,
            min=AUTOMATIC,
            max=50.0,
            step=0.5,
            tooltip="Tokens at each end of a latent frame that count as its border, in percent, 0 to 50. Below 0 = automatic: "
            "the published value for this model (8 or 12), or 8 for others.",
        ),
        io.Combo.Input(
            "rule",
            options=list(RULES),
            default=RULES[0],
            advanced=True,
            tooltip="max: raise to alpha times the largest magnitude (the paper). scaling: multiply by 1 + omega (the paper's "
            "weaker comparison).",
        ),
        io.Float.Input(
            "omega",
            default=1.5,
            min=-1.0,
            max=20.0,
            step=0.1,
            advanced=True,
            tooltip="Gain of the rule scaling: activations are multiplied by 1 + omega.",
        ),
        io.Boolean.Input("first_frame", default=True, advanced=True, tooltip="Apply to the tokens of the first latent frame."),
        io.Boolean.Input(
            "boundaries", default=True, advanced=True, tooltip="Apply to the tokens at both ends of the later latent frames."
        ),
    ]
