"""A tiny network of Wan Animate: pose and background are added to the frames, faces are asked by blocks of their own."""

import torch
from comfy.ldm.wan.model_animate import AnimateWanModel
from families import Tiny, random_weights
from networks.wan import LATENT, TEXT, first_image_with_clip, loader, noise_like

FACE = 16  # its width and height


class Motion(torch.nn.Module):
    """In place of the motion encoder made by the host, which knows faces of 512 x 512 only and takes seconds for each."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3 * FACE * FACE, 512)

    def get_motion(self, faces):
        return self.linear(faces.flatten(1))


def load():
    """Five blocks, since there is one face block for every five."""
    model = loader(cls=AnimateWanModel, model_type="animate", in_dim=36, layers=5)()
    motion = Motion()
    motion.load_state_dict(random_weights(motion))
    model.model.diffusion_model.motion_encoder = motion
    return model


def pose_and_face(generator, latent):
    """The first latent frame is the reference image, without a pose; a face for each frame of the others."""
    driven = latent[2] - 1
    faces = torch.randn(1, 3, 4 * driven - 3, FACE, FACE, generator=generator)
    pose = noise_like(latent, generator, frames=driven)
    return {**first_image_with_clip(generator, latent), "pose_video_latent": pose, "face_video_pixels": faces}


NETWORKS = {"wan_animate": Tiny(load, LATENT, TEXT, pose_and_face)}
