"""A tiny network of the first Cosmos family."""

from comfy.supported_models import CosmosT2V
from families import Tiny, in_process

TEXT = 32


def load():
    return in_process(
        CosmosT2V, {"sigma_max": 10.0}, image_model="cosmos", max_img_h=240, max_img_w=240, max_frames=128, in_channels=16,
        out_channels=16, patch_spatial=2, patch_temporal=1, model_channels=128, num_blocks=3, num_heads=2,
        crossattn_emb_channels=TEXT, block_x_format="THWBD", affline_emb_norm=True, use_adaln_lora=True, adaln_lora_dim=32,
        pos_emb_cls="rope3d", extra_per_block_abs_pos_emb=True, extra_per_block_abs_pos_emb_type="learnable",
    )  # fmt: skip


NETWORKS = {"cosmos": Tiny(load, (1, 16, 3, 8, 8), TEXT)}
