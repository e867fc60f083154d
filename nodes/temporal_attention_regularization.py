"""Node: Temporal Attention Regularization."""

from __future__ import annotations

import logging

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.core.intervention import Where, Window
from ..py.host.attach import attach
from ..py.host.families import adapter_of, blocks_of
from ..py.techniques.tar import EARLY_END, SCALES, SIGMA_UNITS, TemporalAttentionRegularization
from ..py.techniques.tar_presets import AUTO, PRESETS, Preset, preset_of
from . import _inputs as shared

FROM_PRESET = 0.0

log = logging.getLogger("temporal_attention")


class TemporalAttentionRegularizationNode(io.ComfyNode):
    """MODEL -> MODEL with a band between frames added to the scores of its attention over time."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TemporalAttentionRegularization",
            display_name="Temporal Attention Regularization (TAR)",
            category=shared.CATEGORY,
            description="More change over time, or less: near frames are tied closer together and distant ones freed to differ, "
            "so that a video develops instead of staying static. From VSTAR. Training-free; adds a few percent of time.",
            search_aliases=["TAR", "VSTAR", "generative temporal nursing", "dynamics", "longer video", "more motion", "calm"],
            inputs=[
                io.Model.Input("model", tooltip="A video model."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-2.0,
                    max=2.0,
                    step=0.01,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Multiplies the preset's strength. 0 changes nothing at all, 1 is the usual amount, higher values "
                    "free the frames further until things jump; negative values calm the video.",
                ),
                io.Combo.Input(
                    "preset",
                    options=[AUTO, *PRESETS],
                    default=AUTO,
                    tooltip="auto: the paper's setting on models with temporal layers (SVD, AnimateDiff), wide and weak on all "
                    "others. D1, D4, D8: the UNet's layers at full width, a quarter and an eighth, as the authors name them.",
                ),
                *_tuning_inputs(),
                *shared.window_inputs(EARLY_END, f" {EARLY_END} = the first 14 or 15 of 25 steps, as in the authors' code."),
                shared.blocks_input(),
                shared.branch_input("Act on"),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with TAR on it. Techniques stack in node order."),
                io.String.Output(display_name="settings", tooltip="The active settings, as text."),
            ],
        )

    @classmethod
    def execute(
        cls, model, strength, preset, sigma, sigma_unit, scale, start_percent, end_percent, blocks, branch, similarity=None
    ) -> io.NodeOutput:
        """Attaches TAR to a clone of the model."""
        settings = _preset(model, preset)
        technique = TemporalAttentionRegularization(
            strength=strength * settings.strength,
            sigma=settings.sigma if sigma == FROM_PRESET else sigma,
            sigma_unit=settings.sigma_unit if sigma == FROM_PRESET else sigma_unit,
            scale=scale,
            similarity=similarity,
            levels=settings.levels,
            window=Window(start_percent, end_percent),
            where=Where(blocks=shared.numbers(blocks, "block numbers")),
            branch=shared.BRANCHES[branch],
        )
        log.info("Temporal Attention Regularization: %s", technique.described)
        return io.NodeOutput(attach(model, technique), technique.described)


def _preset(model, name: str) -> Preset:
    """The preset for this network. Raises TemporalAttentionError for levels that only a UNet has."""
    temporal = any(block.site.kind == "temporal" for block in blocks_of(model))
    preset = preset_of(name, temporal)
    if not temporal and preset.levels is not None and 1 not in preset.levels:
        raise TemporalAttentionError(
            f"a UNet with temporal layers, for the preset {name}",
            f"{adapter_of(model).family}, whose blocks all have one resolution",
            "Choose auto, or D1 for the paper's strength and sigma.",
        )
    return preset


def _tuning_inputs() -> list[io.Input]:
    """The band, what it is multiplied by, and what may replace it."""
    return [
        io.Float.Input(
            "sigma",
            default=FROM_PRESET,
            min=0.0,
            max=1000.0,
            step=0.05,
            advanced=True,
            tooltip="Width of the band, in sigma_unit. Small: only adjacent frames are tied together, so more change. 0 = the "
            "preset's: 1 latent frame (the paper) or half of the frames.",
        ),
        io.Combo.Input(
            "sigma_unit",
            options=list(SIGMA_UNITS),
            default=SIGMA_UNITS[0],
            advanced=True,
            tooltip="What a sigma above 0 counts: a share of the frames that the network sees at once (0.5 = half), or latent "
            "frames.",
        ),
        io.Combo.Input(
            "scale",
            options=list(SCALES),
            default=SCALES[0],
            advanced=True,
            tooltip="What the band is multiplied by. row max: the largest score of each query, never below 0. signed: below 0 "
            "too (the authors' code to the letter). map max: the largest of all (the paper's formula). row max - row mean: "
            "without the offset that all keys share.",
        ),
        shared.Similarity.Input(
            "similarity",
            optional=True,
            tooltip="How alike the frames of a reference video are, used instead of the band: its dynamics are carried over. "
            "sigma is then ignored.",
        ),
    ]
