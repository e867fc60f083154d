"""Settings of Temporal Attention Regularization to start from: the paper's for temporal layers, ours for DiTs.

VSTAR: Generative Temporal Nursing for Longer Dynamic Video Synthesis (Li et al.), sections 3.3 and 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """`strength` of the scale, `sigma` in `sigma_unit`, and the `levels` of a UNet by how many times narrower they are."""

    strength: float
    sigma: float
    sigma_unit: str
    levels: frozenset[int] | None


def _paper(*levels: int) -> Preset:
    return Preset(1.0, 1.0, "latent frames", frozenset(levels) or None)


AUTO = "auto"
DIT, PAPER = "DiT, wide and weak", "D1 (paper)"
PRESETS = {
    DIT: Preset(0.1, 0.5, "share of frames", None),
    PAPER: _paper(1),
    "D4": _paper(4),
    "D8": _paper(8),
    "D1 + D8": _paper(1, 8),
    "all levels": _paper(),
}


def preset_of(name: str, temporal: bool) -> Preset:
    """The preset of a name; `temporal` says which one is meant by "auto": has the network layers over time alone?"""
    return PRESETS[(PAPER if temporal else DIT) if name == AUTO else name]
