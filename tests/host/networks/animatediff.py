"""A tiny image UNet of Stable Diffusion 1.5 with the stand-in's motion modules; its batch is its frames."""

from comfy.supported_models import SD15
from families import Tiny, in_process, random_weights
from motion_modules import AnimateDiffModel, with_motion

TEXT = 32
LATENT = (3, 4, 8, 8)


def image_model():
    """At full resolution a stage has spatial attention, at half only the middle has."""
    return in_process(
        SD15, image_size=32, in_channels=4, out_channels=4, model_channels=32, num_res_blocks=[1, 1], channel_mult=[1, 2],
        transformer_depth=[1, 0], transformer_depth_output=[1, 1, 0, 0], transformer_depth_middle=1, num_heads=2,
        context_dim=TEXT, adm_in_channels=None, use_spatial_transformer=True, legacy=False, use_linear_in_transformer=False,
        use_temporal_attention=False, use_temporal_resblock=False,
    )  # fmt: skip


def motion_model(seed=1, middle=64):
    motion = AnimateDiffModel(down=(32, 64), up=(64, 64, 32, 32), middle=middle)
    motion.load_state_dict(random_weights(motion, seed))
    return motion.eval().requires_grad_(False)


NETWORKS = {"animatediff": Tiny(lambda: with_motion(image_model(), motion_model()), LATENT, TEXT)}
