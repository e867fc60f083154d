"""Node: Entropy Guidance."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Where, Window
from ..py.host.attach import attach
from ..py.host.families import blocks_of
from ..py.techniques.entropy_guidance import RULES, EntropyGuidance
from . import _inputs as shared

AUTOMATIC = -1
KINDS = {"over time": Where(), "within frames (UNets)": Where(frozenset({"spatial"}))}


class EntropyGuidanceNode(io.ComfyNode):
    """MODEL -> MODEL that is guided by predictions with another attention pattern in one block."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_EntropyGuidance",
            display_name="Entropy Guidance (IE-Adapt)",
            category=shared.CATEGORY,
            description="Guides away from what the model predicts when one block's attention is replaced, as PAG, SLG and STG "
            "do, but measures which block to replace, and reruns only the blocks from there on.",
            search_aliases=["IE-Adapt", "perturbed attention guidance", "PAG", "SLG", "STG", "skip layer", "entropy", "quality"],
            inputs=[
                io.Model.Input("model", tooltip="A video model."),
                io.Float.Input(
                    "scale",
                    default=0.5,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="Lambda, the strength. 0 changes nothing and costs nothing. 0.25 to 0.5 is safe; from 1 on "
                    "brightness drifts, and 4 overcooks the picture.",
                ),
                io.Combo.Input("rule", options=list(RULES), default="A - I", tooltip=RULE_HELP),
                io.Int.Input(
                    "block",
                    default=AUTOMATIC,
                    min=AUTOMATIC,
                    max=shared.LARGEST_NUMBER,
                    tooltip="The block whose attention is replaced. -1 = the block with the highest entropy, measured over the "
                    "first quarter of the run (at most three steps, and at most half of those between start and end), which is "
                    "not guided. You can connect Entropy Profile's number instead.",
                ),
                io.Float.Input(
                    "rescale",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="How far the result's contrast is brought back to that of the unguided prediction. Raise it when "
                    "colours burn.",
                ),
                io.Combo.Input(
                    "attention",
                    options=list(KINDS),
                    default="over time",
                    advanced=True,
                    tooltip="Which attention is replaced: between frames or, in UNets such as SVD, within each frame.",
                ),
                *shared.window_inputs(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The model with Entropy Guidance. Techniques stack.")],
        )

    @classmethod
    def execute(cls, model, scale, rule, block, rescale, attention, start_percent, end_percent) -> io.NodeOutput:
        """Attaches the guidance to a clone of the model."""
        chosen = None if block == AUTOMATIC else block
        if chosen is not None:
            Where(blocks=frozenset({chosen})).check(len(blocks_of(model)))
        window = Window(start_percent, end_percent)
        technique = EntropyGuidance(scale=scale, rule=rule, block=chosen, rescale=rescale, where=KINDS[attention], window=window)
        return io.NodeOutput(attach(model, technique))


RULE_HELP = (
    "A = the model's own attention, I = each token only sees itself, U = all tokens alike. A - I: away from I (best aesthetic "
    "score in the paper's Table 2). U - A, U - I: towards U. Strategy 1: I on the negative side. Strategy 3: U on the positive "
    "side, and away from I. Strategy 4: U on the positive side, without any extra prediction. In 1 and 4 scale only switches."
)
