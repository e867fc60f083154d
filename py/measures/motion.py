"""Dense motion between two frames by a symmetric pyramidal Lucas-Kanade method, and the frame half-way between them.

Lucas and Kanade 1981; the pyramid after Bouguet 2000; an offset of brightness in each neighbourhood after Negahdaripour 1998, so
that a change of light is no motion. Symmetric: the displacement is the one seen from half-way, so both frames play the same part
and a picture half-way needs no further flow.
"""

from __future__ import annotations

import torch
from kornia.filters import gaussian_blur2d, spatial_gradient
from kornia.geometry.transform import pyrdown, remap
from torch import Tensor
from torch.nn.functional import interpolate

COARSEST = 12  # pixels on the short side of the smallest pyramid level
ROUNDS = 2  # corrections a level
WINDOW = 2.0  # standard deviation in pixels of the neighbourhood that moves as one
STIFFNESS = 1e-3  # added to the squared gradients, brightness in [0, 1]: where there is no structure, nothing moves


def displacement(first: Tensor, second: Tensor) -> Tensor:
    """[B, 2, h, w] motion (right, down) in pixels from `first` to `second`, at the place half-way, for [B, 3, h, w] in [0, 1]."""
    levels = [(first, second)]
    while min(levels[-1][0].shape[-2:]) >= 2 * COARSEST:
        levels.append((pyrdown(levels[-1][0]), pyrdown(levels[-1][1])))
    flow = torch.zeros_like(levels[-1][0][:, :2])
    for one, other in reversed(levels):
        flow = _resized(flow, one.shape[-2:])
        for _ in range(ROUNDS):
            flow = flow + _correction(shifted(one, -flow / 2), shifted(other, flow / 2))
    return flow


def half_way(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """[B, C, h, w] the picture in the middle: both frames moved half of `flow` towards each other and averaged."""
    return (shifted(first, -flow / 2, "bicubic") + shifted(second, flow / 2, "bicubic")) / 2


def shifted(x: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """[B, C, h, w] with x(place + flow) at every place; beyond the border, the border's values.

    Args:
        mode: "bilinear", which blurs the two frames of a pair alike and so finds motion best; "bicubic" for a sharp picture.
    """
    down, across = torch.meshgrid(*(torch.arange(n, device=x.device, dtype=x.dtype) for n in x.shape[-2:]), indexing="ij")
    return remap(x, across + flow[:, 0], down + flow[:, 1], mode=mode, padding_mode="border", align_corners=True)


def _correction(one: Tensor, other: Tensor) -> Tensor:
    """[B, 2, h, w] the small motion that best explains how two nearly aligned pictures differ."""
    x, y = ((spatial_gradient(one) + spatial_gradient(other)) / 2).unbind(dim=2)
    t = other - one
    xx, yy, xy = local_covariance(x, x) + STIFFNESS, local_covariance(y, y) + STIFFNESS, local_covariance(x, y)
    xt, yt = local_covariance(x, t), local_covariance(y, t)
    return torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / (xx * yy - xy * xy)


def local_covariance(p: Tensor, q: Tensor) -> Tensor:
    """[B, 1, h, w] covariance of two pictures within each neighbourhood, summed over channels."""
    return _blurred((p * q).sum(1, keepdim=True)) - (_blurred(p) * _blurred(q)).sum(1, keepdim=True)


def _blurred(x: Tensor) -> Tensor:
    return gaussian_blur2d(x, 2 * int(3 * WINDOW) + 1, (WINDOW, WINDOW))


def _resized(flow: Tensor, size) -> Tensor:
    """The flow on another grid, its lengths in that grid's pixels."""
    scale = flow.new_tensor([new / old for new, old in zip(reversed(size), reversed(flow.shape[-2:]), strict=True)])
    return interpolate(flow, size=tuple(size), mode="bilinear", align_corners=False) * scale[:, None, None]
