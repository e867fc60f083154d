"""A tiny network of the Cosmos Predict2 family."""

from comfy.supported_models import CosmosT2IPredict2
from families import Tiny, in_process

TEXT = 32


def load():
    return in_process(
        CosmosT2IPredict2, {"sigma_max": 10.0}, image_model="cosmos_predict2", max_img_h=240, max_img_w=240, max_frames=128,
        in_channels=16, out_channels=16, patch_spatial=2, patch_temporal=1, model_channels=128, num_blocks=3, num_heads=2,
        crossattn_emb_channels=TEXT, pos_emb_cls="rope3d", use_adaln_lora=True, adaln_lora_dim=32,
        rope_h_extrapolation_ratio=4.0, rope_w_extrapolation_ratio=4.0, rope_enable_fps_modulation=False,
    )  # fmt: skip


NETWORKS = {"cosmos_predict2": Tiny(load, (1, 16, 3, 8, 8), TEXT)}
