"""Tiny networks of LTX-Video and of LTX-2, which makes video and audio together."""

import json

import comfy.ldm.lightricks.av_model as ltx_2
import comfy.ldm.lightricks.model as ltxv
import comfy.ops
import torch
from families import Tiny, native

TEXT = 48
SIZES = {"num_attention_heads": 2, "attention_head_dim": 32, "cross_attention_dim": 64, "caption_channels": TEXT, "num_layers": 3}
AUDIO = {"audio_num_attention_heads": 2, "audio_attention_head_dim": 16, "audio_cross_attention_dim": 32}
CONNECTORS = {"connector_num_attention_heads": 2, "connector_attention_head_dim": 16, "connector_num_layers": 1}
LATENT = (1, 128, 3, 4, 4)


def loader(cls, **sizes):
    """The loader reads from the file's metadata what the shapes of its weights do not tell."""
    metadata = {"config": json.dumps({"transformer": sizes})}
    operations = comfy.ops.disable_weight_init
    return lambda: native(cls(device="cpu", dtype=torch.float32, operations=operations, **sizes), metadata)


NETWORKS = {
    "ltxv": Tiny(loader(ltxv.LTXVModel, **SIZES), LATENT, TEXT, masked=True),
    "ltx_2": Tiny(loader(ltx_2.LTXAVModel, **SIZES, **AUDIO, **CONNECTORS), LATENT, 2 * TEXT, masked=True, audio=(1, 8, 5, 16)),
}
