"""The demo codec as a native `comfy.sd.VAE`."""

import comfy.ldm.wan.vae
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import torch

from .codec import CELL, COLOURS, FRAMES, LinearCodec

# The codec holds at most about four copies of the video at once: the input, its padded or joined form, its blocks, the result.
COPIES = 4


def load_vae() -> comfy.sd.VAE:
    """The demo VAE: float32, pixels [F, H, W, 3] in [0, 1] <-> latents [B, 16, 1 + (F - 1) / 4, H / 8, W / 8].

    `comfy.sd.VAE` cannot be given a network, it only recognises weights. So it is shown the smallest Wan VAE, which makes it set
    every rule of Wan's latents (ratios, cropping, tiling) as this ComfyUI knows them, and then its network is exchanged.
    """
    vae = comfy.sd.VAE(sd=_smallest_wan_vae(), dtype=torch.float32)
    vae.throw_exception_if_invalid()
    devices = {"load_device": vae.patcher.load_device, "offload_device": vae.patcher.offload_device}
    vae.first_stage_model = LinearCodec().eval()
    comfy.model_management.archive_model_dtypes(vae.first_stage_model)
    vae.patcher = type(vae.patcher)(vae.first_stage_model, **devices)
    vae.patcher.cached_patcher_init = (_reload_patcher, ())
    vae.size = vae.patcher.model_size()
    vae.memory_used_encode = _encode_memory
    vae.memory_used_decode = _decode_memory
    return vae


def _reload_patcher(disable_dynamic: bool = False) -> comfy.model_patcher.ModelPatcher:
    """What ComfyUI calls when it needs a second copy; as for its own VAEs, `disable_dynamic` changes nothing."""
    return load_vae().patcher


def _smallest_wan_vae() -> dict[str, torch.Tensor]:
    network = comfy.ldm.wan.vae.WanVAE(
        dim=1, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[], temperal_downsample=[False, True, True]
    )
    return network.state_dict()


def _encode_memory(shape: tuple[int, ...], dtype: torch.dtype) -> int:
    """Bytes to encode one video of pixels [B, 3, F, H, W]."""
    return COPIES * shape[1] * shape[2] * shape[3] * shape[4] * dtype.itemsize


def _decode_memory(shape: tuple[int, ...], dtype: torch.dtype) -> int:
    """Bytes to decode one latent [B, 16, T, h, w]."""
    return COPIES * COLOURS * FRAMES * CELL * CELL * shape[2] * shape[3] * shape[4] * dtype.itemsize
