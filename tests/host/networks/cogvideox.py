"""Tiny networks of the CogVideoX family; 1.5 makes one token frame of two latent frames."""

import comfy.ldm.cogvideo.model as cogvideo
import comfy.ops
import torch
from comfy.model_sampling import V_PREDICTION, ModelSamplingDiscrete
from families import Tiny, native

HEADS, LAYERS, TEXT, TIME = 2, 3, 32, 64  # the loader knows heads of 64 only


def network(**options):
    return cogvideo.CogVideoXTransformer3DModel(
        num_attention_heads=HEADS, attention_head_dim=64, num_layers=LAYERS, text_embed_dim=TEXT, time_embed_dim=TIME,
        use_rotary_positional_embeddings=True, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init,
        **options,
    )  # fmt: skip


class Sampling(ModelSamplingDiscrete, V_PREDICTION):
    """What the node ModelSamplingDiscrete puts on a MODEL: with the family's own, usual samplers give it inputs of size 4500."""


def loader(**options):
    def load():
        model = native(network(**options))
        model.add_object_patch("model_sampling", Sampling(zsnr=False))
        return model

    return load


def first_image(generator, latent):
    return {"concat_latent_image": torch.randn(*latent, generator=generator)}


NETWORKS = {
    "cogvideox_t2v": Tiny(loader(), (1, 16, 3, 8, 8), TEXT),
    "cogvideox_i2v": Tiny(loader(in_channels=32), (1, 16, 3, 8, 8), TEXT, first_image),
    "cogvideox_1.5": Tiny(loader(patch_size_t=2), (1, 16, 4, 8, 8), TEXT),
}
