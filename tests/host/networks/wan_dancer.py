"""A tiny network of Wan Dancer: music is asked after some of the blocks."""

import torch
from comfy.ldm.wan.model_wandancer import WanDancerModel
from families import Tiny
from networks.wan import LATENT, TEXT, ClipVision, first_image_with_clip, loader

MUSIC = {"music_dim": 64, "music_latent_dim": 64, "audio_inject_layers": [0, 2]}
FEATURES = 35  # of a frame of music


def music(generator, latent):
    """First image, reference image and music at half the frame rate, for which the network has layers of its own."""
    reference = ClipVision(penultimate_hidden_states=torch.randn(1, 257, 1280, generator=generator))
    sound = {"audio_embed": torch.randn(1, 24, FEATURES, generator=generator), "fps": 15.0, "audio_inject_scale": 1.0}
    return {**first_image_with_clip(generator, latent), "clip_vision_output_ref": reference, **sound}


NETWORKS = {"wan_dancer": Tiny(loader(MUSIC, cls=WanDancerModel, model_type="wandancer", in_dim=36), LATENT, TEXT, music)}
