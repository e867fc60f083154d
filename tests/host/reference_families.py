"""What a hand-made edit must know about each family: who calls the attention function, where the video is, what blocks return."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from comfy.ldm.modules.attention import SpatialVideoTransformer

Shift = Callable[[object, "Video"], object]


@dataclass
class Video:
    """Where the video is in the tokens of the network's main blocks; `frames` and `spatial` are those of the current input.

    `after`: how many tokens follow it, as a share of its own; None where it stands at the start, whatever follows.
    """

    after: float | None
    frames: int = 0
    spatial: int = 0

    def span(self, tokens: int) -> slice:
        """The video tokens in a sequence, all of it for a sequence of nothing else."""
        video = self.frames * self.spatial
        start = 0 if self.after is None else tokens - video - int(self.after * video)
        return slice(start, start + video)

    def bias(self, tokens: int) -> torch.Tensor:
        """-0.5 |i - j| between the video tokens of frames i and j, 0 elsewhere: [tokens, tokens]."""
        bias, span = torch.zeros(tokens, tokens), self.span(tokens)
        frame = torch.arange(self.frames).repeat_interleave(self.spatial)
        bias[span, span] = -0.5 * (frame[:, None] - frame[None, :]).abs()
        return bias


def sequence(out: torch.Tensor, video: Video) -> torch.Tensor:
    """A block output [B, N, C] with a ramp over the channels added to its video tokens."""
    shifted = out.clone()
    shifted[:, video.span(out.shape[1])] += ramp(out)
    return shifted


def unbatched(out: torch.Tensor, video: Video) -> torch.Tensor:
    """The same for a block output [N, C] of one video."""
    return sequence(out[None], video)[0]


def first_of_two(out: tuple, video: Video) -> tuple:
    """The same where video comes with text or audio: (video, other)."""
    return sequence(out[0], video), out[1]


def all_video(out: torch.Tensor, video: Video) -> torch.Tensor:
    """The same where all of the output is video, whatever its axes: [..., C]."""
    return out + ramp(out)


def ramp(out: torch.Tensor) -> torch.Tensor:
    return torch.linspace(0, 1, out.shape[-1])


@dataclass(frozen=True)
class Main:
    """One main block: the module whose output a shift edits, and the modules in it that call the attention function once each."""

    block: torch.nn.Module
    callers: tuple[torch.nn.Module, ...]
    shift: Shift


@dataclass(frozen=True)
class Family:
    """One family of networks.

    Args:
        module: the module in whose namespace the main blocks find `optimized_attention`; None where each caller has its own
            `actual_attention`.
        mains: network -> its main blocks.
        cut: (network, its input, its keyword arguments) -> frames and tokens of a frame, as its main attention has them.
        after: network -> the `after` of its `Video`.
    """

    module: str | None
    mains: Callable[[torch.nn.Module], list[Main]]
    cut: Callable[[torch.nn.Module, torch.Tensor, dict], tuple[int, int]]
    after: Callable[[torch.nn.Module], float | None] = lambda network: None


def patches(sizes: Callable[[torch.nn.Module], tuple[int, int, int]]):
    """A `cut` of latents [B, C, T, H, W] into patches of `sizes` (t, h, w), padded up to whole ones."""

    def cut(network, x, kwargs):
        frames, height, width = (math.ceil(size / patch) for size, patch in zip(x.shape[-3:], sizes(network), strict=True))
        return frames, height * width

    return cut


def each(blocks: str, caller: str, shift: Shift):
    """The `mains` of a network with one list of blocks, each calling the attention function in its part `caller`."""
    return lambda network: [Main(block, (block.get_submodule(caller),), shift) for block in getattr(network, blocks)]


def hunyuan_video(network):
    double = [Main(block, (block,), first_of_two) for block in network.double_blocks]
    return double + [Main(block, (block,), sequence) for block in network.single_blocks]


def cosmos(network):
    return [Main(block, (block.blocks[0].block.attn,), all_video) for block in network.blocks.values()]


def temporal_layers(network):
    layers = [module for module in network.modules() if isinstance(module, SpatialVideoTransformer)]
    return [Main(block, (block.attn1,), all_video) for layer in layers for block in layer.time_stack]


def motion_modules(network):
    return [module for module in network.modules() if type(module).__name__ == "VanillaTemporalModule"]


def motion_blocks(network):
    blocks = [block for module in motion_modules(network) for block in module.temporal_transformer.transformer_blocks]
    return [Main(block, tuple(block.attention_blocks), all_video) for block in blocks]


WAN = Family(
    "comfy.ldm.wan.model",
    each("blocks", "self_attn", sequence),
    patches(lambda network: network.patch_size),
    after=lambda network: None if network.ref_conv is None else 0,
)
SCAIL = replace(WAN, after=lambda network: 1 / 4)  # a pose of half the width and height
HUNYUAN_VIDEO = Family("comfy.ldm.flux.math", hunyuan_video, patches(lambda network: network.patch_size), after=lambda network: 0)
COGVIDEOX = Family(
    "comfy.ldm.cogvideo.model",
    each("blocks", "", first_of_two),
    patches(lambda network: (network.patch_size_t or 1, network.patch_size, network.patch_size)),
    after=lambda network: 0,
)
LTXV = Family("comfy.ldm.modules.attention", each("transformer_blocks", "attn1", sequence), patches(lambda network: (1, 1, 1)))
LTX_2 = Family(
    "comfy.ldm.modules.attention", each("transformer_blocks", "attn1", first_of_two), patches(lambda network: (1, 1, 1))
)
MOCHI = Family(
    "comfy.ldm.genmo.joint_model.asymm_models_joint",
    each("blocks", "attn", first_of_two),
    patches(lambda network: (1, network.patch_size, network.patch_size)),
)
COSMOS = Family(
    "comfy.ldm.cosmos.blocks",
    cosmos,
    patches(lambda network: (network.patch_temporal, network.patch_spatial, network.patch_spatial)),
)
COSMOS_PREDICT2 = Family("comfy.ldm.cosmos.predict2", each("blocks", "self_attn", all_video), COSMOS.cut)
KANDINSKY5 = Family(
    "comfy.ldm.kandinsky5.model",
    each("visual_transformer_blocks", "self_attention", all_video),
    patches(lambda network: network.patch_size),
)
MINIMAX_H3 = Family(
    "comfy.ldm.minimax.model",
    each("blocks", "attn", unbatched),
    patches(lambda network: network.patch_size),
    after=lambda network: 0,
)
SVD = Family("comfy.ldm.modules.attention", temporal_layers, lambda network, x, kwargs: (kwargs["num_video_frames"], 1))
ANIMATEDIFF = Family(None, motion_blocks, lambda network, x, kwargs: (motion_modules(network)[0].video_length, 1))

FAMILIES = {
    "WanModel": WAN,
    "VaceWanModel": WAN,
    "CameraWanModel": WAN,
    "AnimateWanModel": WAN,
    "WanDancerModel": WAN,
    "WanModel_S2V": WAN,
    "HumoWanModel": WAN,
    "SCAILWanModel": SCAIL,
    "SCAIL2WanModel": SCAIL,
    "HunyuanVideo": HUNYUAN_VIDEO,
    "CogVideoXTransformer3DModel": COGVIDEOX,
    "LTXVModel": LTXV,
    "LTXAVModel": LTX_2,
    "AsymmDiTJoint": MOCHI,
    "GeneralDIT": COSMOS,
    "MiniTrainDIT": COSMOS_PREDICT2,
    "Kandinsky5": KANDINSKY5,
    "MiniMaxH3Model": MINIMAX_H3,
}


def family_of(network: torch.nn.Module) -> Family:
    """The family of a network; image UNets have one as soon as something temporal is in them."""
    if type(network).__name__ == "UNetModel":
        return ANIMATEDIFF if motion_modules(network) else SVD
    return FAMILIES[type(network).__name__]
