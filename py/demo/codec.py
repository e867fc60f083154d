"""A fixed linear video codec: 16 DCT components of every block of 4 frames x 8 x 8 pixels, with Wan's temporal rule.

No training and no file. The colour axis is a DCT too: over (R, G, B) it gives luma, red minus blue, and green against both.

How the components and numbers were found: on 400 random clips of the demo world (33 frames of 64 x 64; one or two circles,
squares or triangles in seven colours that move, grow, shrink or stay, on a black, gray, white or striped background) all 768
coefficients of every block were measured and the 16 of largest variance kept. They hold 98.9 % of the variance (29.9 dB); the
best 16 linear components whatsoever (PCA) hold no more (98.9 %, 30.1 dB). Only the brightness has a mean worth subtracting.
"""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

CHANNELS = 16
FRAMES = 4
CELL = 8
COLOURS = 3

# (colour, time, y, x) frequency of each latent channel -> standard deviation of its coefficient, pixels in [-1, 1]
COMPONENTS = {
    (0, 0, 0, 0): 15.7,
    (1, 0, 0, 0): 3.59,
    (2, 0, 0, 0): 2.35,
    (0, 0, 0, 2): 1.62,
    (0, 0, 1, 0): 1.28,
    (0, 0, 0, 1): 1.27,
    (1, 0, 1, 0): 1.13,
    (1, 0, 0, 1): 1.13,
    (2, 0, 0, 1): 0.756,
    (2, 0, 1, 0): 0.749,
    (0, 0, 2, 0): 0.562,
    (0, 0, 1, 1): 0.527,
    (1, 0, 2, 0): 0.491,
    (1, 0, 0, 2): 0.473,
    (0, 1, 0, 0): 0.467,
    (1, 0, 1, 1): 0.464,
}
BRIGHTNESS_MEAN = -3.44


def dct_matrix(size: int) -> Tensor:
    """Orthonormal DCT-II, [size, size], one frequency a row, float64."""
    frequency = torch.arange(size, dtype=torch.float64)[:, None]
    position = torch.arange(size, dtype=torch.float64)[None, :] + 0.5
    matrix = math.sqrt(2 / size) * torch.cos(math.pi / size * frequency * position)
    matrix[0] /= math.sqrt(2)
    return matrix


def dct_basis() -> Tensor:
    """The kept components as orthonormal rows over (colour, time, y, x), [CHANNELS, 3 * 4 * 8 * 8], float32."""
    axes = [dct_matrix(size) for size in (COLOURS, FRAMES, CELL, CELL)]
    rows = [
        torch.einsum("c,t,y,x->ctyx", *(axis[frequency] for axis, frequency in zip(axes, component, strict=True))).flatten()
        for component in COMPONENTS
    ]
    return torch.stack(rows).float()


def preview_factors() -> tuple[list[list[float]], list[float]]:
    """Latent -> mean colour of its block, for ComfyUI's live previews: factors [CHANNELS][3] and bias [3], colours in [-1, 1]."""
    mean_colour = rearrange(dct_basis(), "channel (c block) -> channel c block", c=COLOURS).mean(-1)
    scale = torch.tensor(list(COMPONENTS.values()))[:, None]
    return (mean_colour * scale).tolist(), (mean_colour[0] * BRIGHTNESS_MEAN).tolist()


class LinearCodec(nn.Module):
    """Encodes video to latents of about zero mean and unit variance a channel on demo-world clips, and back.

    Latent frame 0 is pixel frame 0 (a still block); each later latent frame is the next 4 pixel frames, as in Wan's VAE.
    """

    def __init__(self):
        super().__init__()
        mean = torch.zeros(CHANNELS)
        mean[0] = BRIGHTNESS_MEAN
        self.basis = nn.Parameter(dct_basis(), requires_grad=False)
        self.scale = nn.Parameter(torch.tensor(list(COMPONENTS.values())), requires_grad=False)
        self.mean = nn.Parameter(mean, requires_grad=False)

    def encode(self, video: Tensor) -> Tensor:
        """Video [B, 3, F, H, W] in [-1, 1] -> latent [B, 16, 1 + (F - 1) // 4, H / 8, W / 8].

        Frames past the last 1 + 4k are dropped, as Wan's VAE does. ValueError unless 3 colours and H, W multiples of 8.
        """
        batch, colours, frames, height, width = video.shape
        if colours != COLOURS or height % CELL or width % CELL:
            raise ValueError(
                f"The demo codec encodes [batch, 3, frames, height, width] with height and width multiples of {CELL}, but got "
                f"{list(video.shape)}. Crop or resize the video first."
            )
        kept = video[:, :, : 1 + (frames - 1) // FRAMES * FRAMES]
        still = kept[:, :, :1].expand(-1, -1, FRAMES - 1, -1, -1)
        blocks = rearrange(
            torch.cat([still, kept], dim=2), "b c (t f) (h y) (w x) -> b t h w (c f y x)", f=FRAMES, y=CELL, x=CELL
        )
        latent = (blocks @ self.basis.to(video).T - self.mean.to(video)) / self.scale.to(video)
        return rearrange(latent, "b t h w channel -> b channel t h w").contiguous()

    def decode(self, latent: Tensor) -> Tensor:
        """Latent [B, 16, T, h, w] -> video [B, 3, 4T - 3, 8h, 8w], not clamped. ValueError if the channels are not 16."""
        if latent.ndim != 5 or latent.shape[1] != CHANNELS:
            raise ValueError(
                f"The demo codec decodes latents [batch, {CHANNELS}, frames, height, width], but got {list(latent.shape)}. "
                "Use an empty latent of a 16-channel video model, such as EmptyHunyuanLatentVideo."
            )
        coefficients = rearrange(latent, "b channel t h w -> b t h w channel") * self.scale.to(latent) + self.mean.to(latent)
        video = rearrange(
            coefficients @ self.basis.to(latent),
            "b t h w (c f y x) -> b c (t f) (h y) (w x)",
            c=COLOURS,
            f=FRAMES,
            y=CELL,
            x=CELL,
        )
        still = video[:, :, :FRAMES].mean(dim=2, keepdim=True)
        return torch.cat([still, video[:, :, FRAMES:]], dim=2)
