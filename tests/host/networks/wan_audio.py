"""Tiny networks of Wan S2V and HuMo: a reference and earlier motion after the video, and sound."""

import comfy.ldm.wan.model as wan
import comfy.ops
import torch
from families import Tiny, random_weights
from networks.wan import LATENT, TEXT, loader, noise_like

LAYERS, SOUND = 25, 48  # of the sound encoder that S2V listens to; its width
WINDOW, GROUPS, HUMO_SOUND = 8, 5, 16  # HuMo: frames of sound for a latent frame, groups of layers, width


def sound_and_motion(generator, latent):
    """The 19 latent frames before the video take a few tokens only, the earlier the fewer."""
    return {
        "audio_embed": torch.randn(1, LAYERS, SOUND, 4 * latent[2], generator=generator),
        "reference_latents": [noise_like(latent, generator, frames=1)],
        "reference_motion": noise_like(latent, generator, frames=19),
        "control_video": noise_like(latent, generator),
    }


def load_humo():
    model = loader(cls=wan.HumoWanModel, model_type="humo", in_dim=36)()
    model.model.diffusion_model.audio_proj = narrow_sound()
    return model


def narrow_sound():
    """In place of the one made by the host, which has 39 million weights whatever the sizes of the network."""
    sizes = {"seq_len": WINDOW, "blocks": GROUPS, "channels": HUMO_SOUND, "intermediate_dim": 32}
    projection = wan.AudioProjModel(**sizes, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init)
    projection.load_state_dict(random_weights(projection))
    return projection


def sound_and_reference(generator, latent):
    sound = torch.randn(1, latent[2], WINDOW, GROUPS, HUMO_SOUND, generator=generator)
    return {"audio_embed": sound, "reference_latents": [noise_like(latent, generator, frames=1)]}


S2V = loader({"audio_dim": SOUND, "audio_inject_layers": [0, 2]}, cls=wan.WanModel_S2V, model_type="s2v")
NETWORKS = {
    "wan_s2v": Tiny(S2V, LATENT, TEXT, sound_and_motion),
    "wan_humo": Tiny(load_humo, LATENT, TEXT, sound_and_reference),
}
