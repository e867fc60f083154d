"""Which samplers go on from a latent that was changed in place, which denoiser call of a step sees their own latent, and which
draw noise while they sample.

Found by running every sampler of the host with a change at one call: tests/host/test_latent_samplers.py.
"""

from __future__ import annotations

from collections import Counter

import comfy.samplers

from ..core.errors import TemporalAttentionError
from ..core.events import Step

# Sampler function -> how many of its steps look ahead at the sigma of a later one, with a latent of their own.
KEEPING = {
    "sample_euler": 0,
    "sample_euler_cfg_pp": 0,
    "sample_heun": 1,
    "sample_heunpp2": 2,
    "sample_exp_heun_2_x0": 1,
    "sample_dpm_2": 0,
    "sample_lms": 0,
    "sample_dpmpp_2m": 0,
    "sample_dpmpp_2m_cfg_pp": 0,
    "sample_ddpm": 0,
    "sample_ipndm": 0,
    "sample_ipndm_v": 0,
    "sample_deis": 0,
    "sample_res_multistep": 0,
    "sample_res_multistep_cfg_pp": 0,
    "sample_res_multistep_ancestral": 0,
    "sample_gradient_estimation": 0,
    "sample_gradient_estimation_cfg_pp": 0,
}
HOSTS = {"sample_unipc", "sample_unipc_bh2", "dpm_fast_function", "dpm_adaptive_function"} | {
    f"sample_{name}" for name in comfy.samplers.KSAMPLER_NAMES
}


NOISY = ("ancestral", "sde", "lcm", "ddpm", "seeds", "sa_solver")  # parts of the names of those that draw noise at their steps


def function_of(sampler) -> str:
    """The name of a SAMPLER's function."""
    function = getattr(sampler, "sampler_function", sampler)
    return getattr(function, "__name__", type(function).__name__)


def refuse_losing(sampler, denoise_mask) -> str:
    """What to remark about a sampler of another pack; "" for one of the host's.

    Raises TemporalAttentionError for a sampler, or a mask, with which a change of the latent would be lost.
    """
    name = function_of(sampler)
    working = ", ".join(function.removeprefix("sample_") for function in KEEPING)
    if name in HOSTS - set(KEEPING):
        raise TemporalAttentionError(
            f"a sampler that continues from a changed latent ({working}, ddim)",
            f"{name.removeprefix('sample_')}, which draws new noise over it or works on a copy",
            "Choose one of these; euler works well.",
        )
    if denoise_mask is not None:
        raise TemporalAttentionError(
            "a latent without a noise mask",
            "one with a mask (inpainting, or a first frame that is held by a mask)",
            "Remove Set Latent Noise Mask, or use an image-to-video model that takes its image as conditioning.",
        )
    return "" if name in KEEPING else f"TempoControl does not know the sampler {name}, which may lose the change of the latent"


def unlike_noise(sampler) -> str:
    """What to warn of where every row of a batch gets noise of its own at the steps; "" where none is drawn."""
    name = function_of(sampler).removeprefix("sample_")
    if not any(part in name for part in NOISY):
        return ""
    return f"{name} draws other noise for the target than for the source, so they drift apart; euler and dpmpp_2m draw none"


class OwnCalls:
    """Tells the first denoiser call of each step with the sampler's own latent from those that look ahead."""

    def __init__(self, sampler):
        self._ahead = KEEPING.get(function_of(sampler), 0)
        self._calls: Counter[int] = Counter()

    def comes(self, step: Step) -> bool:
        """To be asked once at every call: is it the one?"""
        self._calls[step.index] += 1
        return self._calls[step.index] == 1 + min(step.index, self._ahead)
