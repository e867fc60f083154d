"""A tiny network of MiniMax H3, which makes video and audio together."""

import comfy.ops
import torch
from comfy.ldm.minimax.model import MiniMaxH3Model
from families import Tiny, native

TEXT = 48
LATENT, AUDIO = (1, 24, 7, 4, 4), (1, 32, 2, 9)
FRAMES = 22  # of the video whose latent has 7
SIZES = {
    "hidden_size": 64, "num_layers": 3, "token_refiner_num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 32,
    "ffn_hidden_size": 64, "text_dim": TEXT, "timestep_input_dim": 32, "time_embed_hidden_size": 64, "time_embed_dim": 32,
    "rope_inv_freq_len": 4,
}  # fmt: skip


def load():
    return native(MiniMaxH3Model(**SIZES, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init))


def conditions(generator, latent):
    """Keyframes for cond (seed 1), references for uncond (seed 2); the host runs every conditioning alone."""
    tags = torch.ones(1, 7, dtype=torch.long)
    return {"minimax_token_tags": tags, **(keyframes if generator.initial_seed() == 1 else references)(generator, latent)}


def still(generator, latent, height, width):
    return torch.randn(1, latent[1], 1, height, width, generator=generator)


def keyframes(generator, latent):
    """The first and the last frame."""
    found = [{"resolved_frame_index": i, "latent": still(generator, latent, *latent[3:])} for i in (0, FRAMES - 1)]
    return {"minimax_keyframes": found, "minimax_frame_count": FRAMES}


def references(generator, latent):
    """An image, a video with its sound, and a sound."""
    image = {"kind": "image", "latent_h": 4, "latent_w": 6, "latent": still(generator, latent, 4, 6)}
    video = {
        "kind": "video_audio", "latent_t": 2, "latent_h": 4, "latent_w": 4, "ref_audio_t": 3,
        "latent": torch.randn(1, latent[1], 2, 4, 4, generator=generator),
        "audio_latent": torch.randn(1, *AUDIO[1:3], 3, generator=generator),
    }  # fmt: skip
    sound = {"kind": "audio", "ref_audio_t": 4, "audio_latent": torch.randn(1, *AUDIO[1:3], 4, generator=generator)}
    return {"minimax_refs": [image, video, sound]}


NETWORKS = {"minimax_h3": Tiny(load, LATENT, TEXT, conditions, audio=AUDIO)}
