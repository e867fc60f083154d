"""Tiny networks of the Wan family."""

import json

import comfy.ldm.wan.model as wan
import comfy.ops
import torch
from families import Tiny, native

WIDTH, HEADS, LAYERS, TEXT = 128, 2, 3, 32
LATENT = (1, 16, 3, 8, 8)


def metadata(**more):
    """What the loader reads from the file's metadata, since no shape tells it."""
    return {"config": json.dumps({"transformer": {"num_heads": HEADS, "text_dim": TEXT, **more}})}


METADATA = metadata()


def network(model_type="t2v", in_dim=16, out_dim=16, cls=wan.WanModel, layers=LAYERS, **options):
    return cls(
        model_type=model_type, dim=WIDTH, ffn_dim=128, num_heads=HEADS, num_layers=layers, text_dim=TEXT, in_dim=in_dim,
        out_dim=out_dim, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init, **options,
    )  # fmt: skip


def loader(told: dict | None = None, **options):
    """`told`: further options of the network that no shape tells."""
    told = told or {}
    return lambda: native(network(**options, **told), metadata(**told))


class ClipVision(dict):
    """The two ways in which the host reads a CLIP vision output."""

    __getattr__ = dict.__getitem__


def noise_like(latent, generator, channels=16, frames=None):
    return torch.randn(1, channels, frames or latent[2], *latent[3:], generator=generator)


def first_image(generator, latent):
    return {"concat_latent_image": noise_like(latent, generator), "concat_mask": torch.ones(1, 1, *latent[2:])}


def first_image_with_clip(generator, latent):
    vision = ClipVision(penultimate_hidden_states=torch.randn(1, 257, 1280, generator=generator))
    return {**first_image(generator, latent), "clip_vision_output": vision}


def reference(generator, latent):
    return {"reference_latents": [noise_like(latent, generator, frames=1)]}


def joined_frames(generator, latent):
    return {"time_dim_concat": noise_like(latent, generator, frames=2)}


def in_context(generator, latent):
    return {"context_latents": [noise_like(latent, generator, frames=2)]}


def control(generator, latent):
    mask = torch.ones(1, 64, *latent[2:])
    return {"vace_frames": [noise_like(latent, generator, channels=32)], "vace_mask": [mask], "vace_strength": [1.0]}


def camera(generator, latent):
    frames, height, width = latent[2:]
    poses = torch.randn(1, 24, frames, 8 * height, 8 * width, generator=generator)
    return {**first_image(generator, latent), "camera_conditions": poses}


NETWORKS = {
    "wan_t2v": Tiny(loader(), LATENT, TEXT),
    "wan_i2v_2.1": Tiny(loader(model_type="i2v", in_dim=36), LATENT, TEXT, first_image_with_clip),
    "wan_i2v_2.2": Tiny(loader(in_dim=36), LATENT, TEXT, first_image),
    "wan_ti2v_5b": Tiny(loader(in_dim=48, out_dim=48), (1, 48, 3, 8, 8), TEXT),
    "wan_vace": Tiny(loader(cls=wan.VaceWanModel, model_type="vace", vace_layers=1, vace_in_dim=96), LATENT, TEXT, control),
    "wan_fun_reference": Tiny(loader(in_dim=52, in_dim_ref_conv=16), LATENT, TEXT, reference),
    "wan_camera": Tiny(loader(cls=wan.CameraWanModel, model_type="camera_2.2", in_dim=36), LATENT, TEXT, camera),
    "wan_joined_frames": Tiny(loader(), LATENT, TEXT, joined_frames),
    "wan_in_context": Tiny(loader(), LATENT, TEXT, in_context),
}
