"""Node: Spectral Transport Homeostasis."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Where, Window
from ..py.host.attach import attach
from ..py.techniques.estimator import Estimator
from ..py.techniques.sth import LAYER_WEIGHTS, RULES, STEP_WEIGHTS, SpectralTransportHomeostasis
from . import _inputs as shared


class SpectralTransportHomeostasisNode(io.ComfyNode):
    """MODEL -> MODEL with query-temperature regulation of temporal attention."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_SpectralTransportHomeostasis",
            display_name="Spectral Transport Homeostasis (STH)",
            category=shared.CATEGORY,
            description="Steadies a video model's attention over time: calls that mix frames too much are sharpened, calls that "
            "keep frames apart are softened, balanced ones are left alone. Training-free; adds a few percent of time.",
            search_aliases=["STH", "spectral tension", "temporal consistency", "flicker", "attention temperature"],
            inputs=[
                io.Model.Input("model", tooltip="A video model."),
                io.Float.Input(
                    "tau",
                    default=0.2,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Strength. 0 changes nothing at all, 0.2 is the paper's value; above 1 the content begins to drift.",
                ),
                io.Combo.Input(
                    "rule",
                    options=list(RULES),
                    default=RULES[0],
                    tooltip="query temperature: the paper's rule. output gain: what the authors' published code does instead; "
                    "weaker, for comparison.",
                ),
                io.Boolean.Input(
                    "per_head",
                    default=False,
                    tooltip="Give each attention head its own correction. Heads of one call often err in opposite directions.",
                ),
                io.Combo.Input(
                    "layer_weight",
                    options=list(LAYER_WEIGHTS),
                    default=LAYER_WEIGHTS[0],
                    advanced=True,
                    tooltip="deep strong: nothing at the first block, full strength at the last (the paper). flat: the same "
                    "everywhere.",
                ),
                io.Combo.Input(
                    "step_weight",
                    options=list(STEP_WEIGHTS),
                    default=STEP_WEIGHTS[0],
                    advanced=True,
                    tooltip="progress: full strength at the first step, fading to none at the last (the paper's text). noise "
                    "level: fades with the noise, so it stays strong longer (nearer to the paper's numbers). flat: all steps.",
                ),
                *shared.window_inputs(),
                shared.blocks_input(),
                shared.branch_input("Act on"),
                *shared.estimator_inputs(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The model with STH on it. Techniques stack in node order.")],
        )

    @classmethod
    def execute(
        cls, model, tau, rule, per_head, layer_weight, step_weight, start_percent, end_percent, blocks, branch, estimator, rows
    ) -> io.NodeOutput:
        """Attaches STH to a clone of the model."""
        technique = SpectralTransportHomeostasis(
            tau=tau,
            rule=rule,
            per_head=per_head,
            layer_weight=layer_weight,
            step_weight=step_weight,
            estimator=Estimator(estimator, rows),
            window=Window(start_percent, end_percent),
            where=Where(blocks=shared.numbers(blocks, "block numbers")),
            branch=shared.BRANCHES[branch],
        )
        return io.NodeOutput(attach(model, technique))
