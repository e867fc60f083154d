"""Tiny networks of Wan SCAIL and SCAIL-2: reference frames before the video, a pose of half the size after it."""

import comfy.ldm.wan.model as wan
import torch
from families import Tiny
from networks.wan import LATENT, TEXT, ClipVision, loader, noise_like

COLOURS = 28  # of the masks that tell persons apart: seven for each of the four frames of a latent frame


def halved(latent):
    return (*latent[:3], latent[3] // 2, latent[4] // 2)


def reference_and_pose(generator, latent, references=1):
    return {
        "ref_mask_flag": True,
        "reference_latents": [noise_like(latent, generator, frames=1) for _ in range(references)],
        "clip_vision_output": ClipVision(penultimate_hidden_states=torch.randn(1, 257, 1280, generator=generator)),
        "pose_video_latent": noise_like(halved(latent), generator),
    }


def persons(generator, latent):
    """Two reference frames; masks for them and the (empty) frames of the video, and for those of the pose."""
    wanted = {**reference_and_pose(generator, latent, references=2), "ref_mask_flag": False}
    masks = {"ref_mask_28ch": masks_of(latent, 2 + latent[2]), "driving_mask_28ch": masks_of(halved(latent), latent[2])}
    return {**wanted, **masks}


def masks_of(latent, frames):
    """The first of the colours everywhere."""
    masks = torch.zeros(1, frames, COLOURS, *latent[3:])
    masks[:, :, 0] = 1
    return masks


NETWORKS = {
    "wan_scail": Tiny(loader(cls=wan.SCAILWanModel, model_type="scail", in_dim=20), LATENT, TEXT, reference_and_pose),
    "wan_scail_2": Tiny(loader(cls=wan.SCAIL2WanModel, model_type="scail2", in_dim=20), LATENT, TEXT, persons),
}
