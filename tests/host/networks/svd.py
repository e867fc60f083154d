"""A tiny network of the Stable Video Diffusion family: a UNet with spatial and temporal layers; its batch is its frames."""

import torch
from comfy.supported_models import SVD_img2vid
from families import Tiny, in_process

IMAGE = 32  # width of the one token of CLIP vision that takes the place of text


def load():
    return in_process(
        SVD_img2vid, {"sigma_max": 10.0}, image_size=32, in_channels=8, out_channels=4, model_channels=32,
        num_res_blocks=[1, 1], channel_mult=[1, 2], transformer_depth=[1, 0], transformer_depth_output=[1, 1, 0, 0],
        transformer_depth_middle=1, num_head_channels=16, context_dim=IMAGE, adm_in_channels=768, num_classes="sequential",
        use_spatial_transformer=True, legacy=False, use_linear_in_transformer=True, use_temporal_attention=True,
        use_temporal_resblock=True, use_spatial_context=True, extra_ff_mix_layer=True, merge_strategy="learned_with_images",
        video_kernel_size=[3, 1, 1],
    )  # fmt: skip


def first_image(generator, latent):
    return {"concat_latent_image": torch.randn(*latent, generator=generator)}


NETWORKS = {"svd": Tiny(load, (3, 4, 8, 8), IMAGE, first_image)}
