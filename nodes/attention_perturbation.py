"""Node: Attention Perturbation."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.intervention import Window
from ..py.host.attach import attach
from ..py.techniques.perturbation import IDENTITY, UNIFORM, AttentionPerturbation
from . import _inputs as shared
from . import _perturb as perturb

MIX = "mix"
REPLACEMENTS = ("identity", "uniform", MIX)


class AttentionPerturbationNode(io.ComfyNode):
    """MODEL -> MODEL in which some attention patterns are replaced."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_AttentionPerturbation",
            display_name="Attention Perturbation",
            category=shared.DIAGNOSTICS,
            description="Shows what a block's attention does by replacing its pattern: identity (each token keeps its own "
            "value), uniform (each takes the mean of all), or a mix. Expect damage. To try all blocks in turn use Perturbation "
            "Sweep.",
            search_aliases=["perturbed attention", "identity attention", "uniform attention", "ablate block", "PAG"],
            inputs=[
                io.Model.Input("model", tooltip="A video model."),
                io.Combo.Input(
                    "replace_by",
                    options=list(REPLACEMENTS),
                    default=REPLACEMENTS[0],
                    tooltip="identity: each token keeps its own value; frames lose structure. uniform: each takes the mean of "
                    "all; the video moves less. mix: identity_share of the first, the rest of the second.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="How far the output is blended towards that of the replaced pattern. 0 changes nothing at all.",
                ),
                io.String.Input(
                    "blocks",
                    default="0",
                    placeholder="all",
                    tooltip="Blocks whose attention is replaced, counted from 0, such as 0-3, 12. Empty = all, which ruins most "
                    "videos. Entropy Profile outputs lists to use here.",
                ),
                io.Float.Input(
                    "identity_share",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="For mix only: the share alpha in alpha I + (1 - alpha) U.",
                ),
                perturb.attention_input(),
                *shared.window_inputs(),
                shared.branch_input("Act on"),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The perturbed model. Techniques stack in node order.")],
        )

    @classmethod
    def execute(
        cls, model, replace_by, strength, blocks, identity_share, attention, start_percent, end_percent, branch
    ) -> io.NodeOutput:
        """Attaches the perturbation to a clone of the model."""
        technique = AttentionPerturbation(
            alpha={"identity": IDENTITY, "uniform": UNIFORM, MIX: identity_share}[replace_by],
            strength=strength,
            window=Window(start_percent, end_percent),
            where=perturb.where_of(model, attention, shared.numbers(blocks, "block numbers")),
            branch=shared.BRANCHES[branch],
        )
        return io.NodeOutput(attach(model, technique))
