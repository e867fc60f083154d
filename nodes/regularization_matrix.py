"""Node: Regularization Matrix."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..py.core.errors import TemporalAttentionError
from ..py.host.attach import attached
from ..py.techniques.tar import TemporalAttentionRegularization
from ..py.views.regularization import regularization_matrices
from . import _inputs as shared


class RegularizationMatrixNode(io.ComfyNode):
    """MODEL with TAR -> IMAGE of the matrices that it adds."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_RegularizationMatrix",
            display_name="Regularization Matrix",
            category=shared.DIAGNOSTICS,
            description="Draws what Temporal Attention Regularization adds to the attention between a model's frames, one "
            "matrix per TAR node, before anything is sampled.",
            search_aliases=["TAR", "VSTAR", "band matrix", "delta A", "gaussian band"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="A model with Temporal Attention Regularization on it."),
                io.Int.Input(
                    "frames",
                    default=21,
                    min=2,
                    max=512,
                    tooltip="Latent frames that the network sees at once: 21 for 81 frames of Wan, 14 or 25 for SVD.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The matrices on one colour scale, 1024 pixels wide.")],
        )

    @classmethod
    def execute(cls, model, frames) -> io.NodeOutput:
        """Draws the matrices of every TAR on the model."""
        found = [i for i in attached(model) if isinstance(i, TemporalAttentionRegularization)]
        if not found:
            raise TemporalAttentionError(
                "a model with Temporal Attention Regularization on it",
                "one without",
                "Connect the model output of that node.",
            )
        image = regularization_matrices([(tar.described, tar.strength * tar.matrix(frames)) for tar in found])
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))
