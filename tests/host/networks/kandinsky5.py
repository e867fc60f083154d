"""A tiny network of the Kandinsky 5 family: text blocks first, then the visual ones."""

import torch
from comfy.supported_models import Kandinsky5
from families import Tiny, in_process

TEXT, POOLED = 32, 16


def load():
    return in_process(
        Kandinsky5, image_model="kandinsky5", model_dim=128, axes_dims=(16, 24, 24), ff_dim=128, time_dim=64, in_text_dim=TEXT,
        in_text_dim2=POOLED, num_text_blocks=1, num_visual_blocks=3,
    )  # fmt: skip


def pooled_text(generator, latent):
    return {"pooled_output": torch.randn(1, POOLED, generator=generator)}


NETWORKS = {"kandinsky5": Tiny(load, (1, 16, 3, 8, 8), TEXT, pooled_text)}
