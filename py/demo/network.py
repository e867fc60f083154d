"""The demo network as a native MODEL: a small text-to-video Wan, loaded by ComfyUI's own loader."""

import comfy.latent_formats
import comfy.model_patcher
import comfy.sd
import torch

from . import codec
from .weights import ARCHITECTURE, weights

SHIFT = 3.0


class DemoLatents(comfy.latent_formats.LatentFormat):
    """The demo codec's latents already have unit variance, so nothing is scaled; previews show each block's mean colour."""

    latent_channels = codec.CHANNELS
    latent_dimensions = 3
    temporal_downscale_ratio = codec.FRAMES
    spacial_downscale_ratio = codec.CELL
    latent_rgb_factors, latent_rgb_factors_bias = codec.preview_factors()


def load_model(disable_dynamic: bool = False) -> comfy.model_patcher.ModelPatcher:
    """The demo MODEL in float32 with sampling shift 3. RuntimeError if ComfyUI does not load it so.

    ComfyUI calls this again with `disable_dynamic` when it needs a second copy of the weights, held whole in memory.
    """
    model = comfy.sd.load_diffusion_model_state_dict(
        weights(), model_options={"dtype": torch.float32}, metadata=ARCHITECTURE.metadata(), disable_dynamic=disable_dynamic
    )
    _check(model)
    # Wan's own format would rescale these latents as if Wan's VAE had made them. It is replaced on the network itself, not by an
    # object patch: the host reads previews' colours off the network before patches are in force.
    model.model.latent_format = DemoLatents()
    model.model.model_sampling.set_parameters(shift=SHIFT)
    model.cached_patcher_init = (load_model, ())
    return model


def _check(model: comfy.model_patcher.ModelPatcher | None) -> None:
    if model is None:
        raise RuntimeError("ComfyUI did not recognise the demo network as a Wan model. Update ComfyUI and this node pack.")
    dtype = model.model.get_dtype_inference()
    if dtype != torch.float32:
        raise RuntimeError(
            f"The demo network must run in torch.float32, but ComfyUI chose {dtype}. "
            "Start ComfyUI without options that force a data type."
        )
