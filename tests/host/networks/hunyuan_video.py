"""Tiny networks of the HunyuanVideo family: 1.0 with double and single blocks, 1.5 with double blocks only."""

import comfy.ldm.hunyuan_video.model as hunyuan_video
import comfy.ops
import torch
from families import Tiny, native

WIDTH, HEADS, TEXT, POOLED = 256, 2, 64, 768  # the loader knows heads of 128 only, and a pooled text of 768
LATENT, LATENT_1_5 = (1, 16, 3, 8, 8), (1, 32, 3, 4, 4)
GLYPHS, VISION = 1472, 1152  # widths of the two other text streams of 1.5


def network(**options):
    sizes = {
        "in_channels": 16, "out_channels": 16, "vec_in_dim": POOLED, "context_in_dim": TEXT, "hidden_size": WIDTH,
        "num_heads": HEADS, "mlp_ratio": 4.0, "depth": 2, "depth_single_blocks": 2, "axes_dim": [16, 56, 56], "theta": 256,
        "patch_size": [1, 2, 2], "qkv_bias": True, "guidance_embed": True, "byt5": False, "meanflow": False,
        "use_cond_type_embedding": False, "vision_in_dim": None, "meanflow_sum": False,
    }  # fmt: skip
    operations = comfy.ops.disable_weight_init
    return hunyuan_video.HunyuanVideo(device="cpu", dtype=torch.float32, operations=operations, **{**sizes, **options})


def loader(**options):
    return lambda: native(network(**options))


def loader_1_5():
    return loader(
        in_channels=65, out_channels=32, depth_single_blocks=0, patch_size=[1, 1, 1], vec_in_dim=None, guidance_embed=False,
        byt5=True, use_cond_type_embedding=True, vision_in_dim=VISION, meanflow_sum=True,
    )  # fmt: skip


class ClipVision:
    """The part of a CLIP vision output that 1.5 reads."""

    def __init__(self, last_hidden_state):
        self.last_hidden_state = last_hidden_state


def noise_like(latent, generator, frames=None):
    return torch.randn(1, latent[1], frames or latent[2], *latent[3:], generator=generator)


def pooled_text(generator, latent):
    return {"pooled_output": torch.randn(1, POOLED, generator=generator)}


def first_image(generator, latent):
    image = {"concat_latent_image": noise_like(latent, generator), "concat_mask": torch.ones(1, 1, *latent[2:])}
    return {**pooled_text(generator, latent), **image}


def reference(generator, latent):
    """One reference frame for cond (seed 1), two for uncond (seed 2): the host fails on a batch of prompts with references."""
    frames = generator.initial_seed()
    return {**pooled_text(generator, latent), "ref_latent": noise_like(latent, generator, frames)}


def glyphs_and_vision(generator, latent):
    vision = ClipVision(torch.randn(1, 9, VISION, generator=generator))
    glyphs = torch.randn(1, 5, GLYPHS, generator=generator)
    return {**first_image(generator, latent), "conditioning_byt5small": glyphs, "clip_vision_output": vision}


NETWORKS = {
    "hunyuan_video_t2v": Tiny(loader(), LATENT, TEXT, pooled_text),
    "hunyuan_video_i2v": Tiny(loader(in_channels=33), LATENT, TEXT, first_image),
    "hunyuan_video_reference": Tiny(loader(), LATENT, TEXT, reference),
    "hunyuan_video_1.5_t2v": Tiny(loader_1_5(), LATENT_1_5, TEXT, pooled_text),
    "hunyuan_video_1.5_i2v": Tiny(loader_1_5(), LATENT_1_5, TEXT, glyphs_and_vision),
}
