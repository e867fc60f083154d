"""A clip as the measures take it: checked, and handed out in parts that fit into memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..core.errors import TemporalAttentionError

FEWEST_FRAMES = 3
SMALLEST_SIDE = 16  # pixels; SSIM's window has 11
PIXELS_A_PART = 2**19
SHORT_SIDE = 128  # pixels, of the small copy on which motion is found


def checked(images: Tensor, name: str) -> Tensor:
    """The clip [F, H, W, 3] without an alpha channel.

    Raises TemporalAttentionError where it has fewer than 3 frames, a side below 16 pixels, or values that are no numbers.
    """
    frames, height, width = images.shape[:3]
    if frames < FEWEST_FRAMES:
        raise TemporalAttentionError(
            f"at least {FEWEST_FRAMES} frames in {name}", f"{frames}", "Connect the whole decoded clip, as one IMAGE batch."
        )
    if min(height, width) < SMALLEST_SIDE:
        raise TemporalAttentionError(
            f"frames of at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels in {name}",
            f"{width} x {height}",
            "Measure the decoded frames, not thumbnails.",
        )
    if not torch.isfinite(images).all():
        raise TemporalAttentionError(
            f"numbers in all pixels of {name}",
            "NaN or infinity",
            "Decoding failed: decode again, if necessary with the VAE in fp32 (--fp32-vae).",
        )
    return images[..., :3]


def same_shape(before: Tensor, after: Tensor) -> None:
    """Raises TemporalAttentionError where two clips differ in the number or the size of their frames, and says in which."""
    for what, dims in (("frames", slice(0, 1)), ("pixels (height x width)", slice(1, 3))):
        ours, theirs = (" x ".join(map(str, clip.shape[dims])) for clip in (before, after))
        if ours != theirs:
            raise TemporalAttentionError(
                f"after to have as many {what} as before, {ours}",
                theirs,
                "Compare two runs that differ in one node only, both uncut and unscaled.",
            )


def parts(count: int, height: int, width: int) -> list[slice]:
    """The numbers 0 to count - 1 in runs of so many that frames of this size fit into memory at once."""
    step = max(1, PIXELS_A_PART // (height * width))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def planes(images: Tensor, device: torch.device) -> Tensor:
    """[F, H, W, 3] -> [F, 3, H, W] float32 in [0, 1] on the device."""
    return images.to(device, torch.float32).movedim(-1, 1).clamp(0, 1)


def small(frames: Tensor) -> Tensor:
    """[F, 3, H, W] with its short side scaled down to 128 pixels; smaller frames stay as they are."""
    scale = SHORT_SIDE / min(frames.shape[-2:])
    if scale >= 1:
        return frames
    size = [round(side * scale) for side in frames.shape[-2:]]
    return interpolate(frames, size=size, mode="bilinear", antialias=True, align_corners=False)
