"""Naive float64 reference of Steering Video Diffusion Transformers with Massive Activations: loops, one value at a time."""

import math

import numpy as np


def is_first(token, spatial):
    return token < spatial


def is_boundary(token, spatial, percent):
    """A token of a later frame among the first or the last `percent` % of it, part tokens counted as whole ones."""
    size = math.ceil(round(percent * spatial / 100, 9))
    return token >= spatial and (token % spatial < size or spatial - 1 - token % spatial < size)


def region(token, spatial, percent):
    """0 first frame, 1 boundary, 2 interior."""
    return 0 if is_first(token, spatial) else 1 if is_boundary(token, spatial, percent) else 2


def steered(x, spatial, channels, *, alpha=2.5, percent=8.0, omega=None, first=True, boundaries=True, strength=1.0):
    """Eq. 3 to 5 on x [B, N, C]; with omega the scaling rule."""
    x = np.asarray(x, np.float64)
    out = x.copy()
    for row in range(x.shape[0]):
        for d in channels:
            peak = max(abs(value) for value in x[row, :, d])
            for i in range(x.shape[1]):
                if not ((first and is_first(i, spatial)) or (boundaries and is_boundary(i, spatial, percent))):
                    continue
                old = float(x[row, i, d])
                g = (1 + omega) * old if omega is not None else alpha * peak * ((old > 0) - (old < 0))
                out[row, i, d] = old + strength * (g - old)
    return out


def kinds(peaks):
    """A.1 and A.2: channel -> "massive", "weak" or None."""
    mean = sum(peaks) / len(peaks)
    deviation = math.sqrt(sum((peak - mean) ** 2 for peak in peaks) / len(peaks))
    found = {}
    for channel, peak in enumerate(peaks):
        if peak > 50 * mean:
            found[channel] = "massive"
        elif peak > mean + 3 * deviation:
            found[channel] = "weak"
    return found
