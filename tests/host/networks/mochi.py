"""A tiny network of the Mochi family."""

import comfy.ops
import torch
from comfy.ldm.genmo.joint_model.layers import FeedForward
from comfy.supported_models import GenmoMochi
from families import Tiny, in_process, random_weights

WIDTH, TEXT = 64, 32


def load():
    model = in_process(
        GenmoMochi, image_model="mochi_preview", depth=3, patch_size=2, num_heads=2, hidden_size_x=WIDTH, hidden_size_y=32,
        mlp_ratio_x=12288 / WIDTH, mlp_ratio_y=4.0, learn_sigma=False, in_channels=12, qk_norm=True, qkv_bias=False,
        use_t5=True, t5_feat_dim=TEXT, timestep_scale=1000.0,
    )  # fmt: skip
    network = model.model.diffusion_model
    for block in network.blocks:
        block.mlp_x = narrow_mlp()
    network.load_state_dict(random_weights(network))
    return model


def narrow_mlp():
    """In place of the one made by the host, which insists on a width of 12288."""
    operations = comfy.ops.disable_weight_init
    return FeedForward(WIDTH, 4 * WIDTH, 64, None, device="cpu", dtype=torch.float32, operations=operations)


NETWORKS = {"mochi": Tiny(load, (1, 12, 3, 8, 8), TEXT, masked=True)}
