"""Schedules of an intervention's strength over the layers and over the run.

Temporal State Transport in Video Generation (Tang et al.), Eq. 7.
"""

import math


def deep_strong(depth: float) -> float:
    """0.5 - 0.5 cos(pi x): 0 at the first layer, 1 at the last."""
    return 0.5 - 0.5 * math.cos(math.pi * depth)


def early_strong(progress: float) -> float:
    """0.5 + 0.5 cos(pi p): 1 at the start of the run, 0 at its end."""
    return 0.5 + 0.5 * math.cos(math.pi * progress)
