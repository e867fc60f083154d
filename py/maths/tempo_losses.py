"""The losses that move a phrase's attention to the frames where it is wanted, and when they have done enough.

TempoControl: Temporal Attention Guidance for Text-to-Video Models (Schiber et al.), section 3. The magnitude and the entropy
grow with the number S of tokens a frame; both are rescaled to the S = 1560 that the published weights were tuned at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ACTIVE = 0.7  # of the mask
TUNED_TOKENS = 1560
MASS_WEIGHT, ENTROPY_WEIGHT = 0.3, 10.0  # lambda 1 and 2
HELD = 0.3  # least wanted mass of phrases that are wanted throughout: nothing else brings them; 1 harms timed ones beside them
EPSILON = 1e-6
TINY = 1e-10  # under the logarithm


@dataclass(frozen=True)
class TempoLosses:
    """What the attention of P phrases costs, for each of B samples.

    Args:
        correlation: [B, P] Pearson correlation of mask and signal without the first latent frame; 0 for a constant mask.
        magnitude: [B, P] mean mass of the inactive frames minus `wanted_mass` times that of the active ones, at S = 1560.
        entropy: [B, P] mean entropy of the active frames' maps in nats, at S = 1560.
        mass_ratio: [B, P] mean mass of the inactive frames over that of the active ones.
        timed: [P] bool, whether the mask changes after the first latent frame, so that it has a correlation.
        contrasted: [P] bool, whether it has both active and inactive frames, so that it has a mass ratio.
    """

    correlation: Tensor
    magnitude: Tensor
    entropy: Tensor
    mass_ratio: Tensor
    timed: Tensor
    contrasted: Tensor

    def total(self, mass_weight: float = MASS_WEIGHT, entropy_weight: float = ENTROPY_WEIGHT) -> Tensor:
        """[B] mean over phrases of L = L_corr + lambda1 L_mag + lambda2 L_ent, L_corr = -correlation."""
        return (-self.correlation + mass_weight * self.magnitude + entropy_weight * self.entropy).mean(-1)

    def detached(self) -> TempoLosses:
        """The same numbers without their graph."""
        return TempoLosses(**{name: value.detach() for name, value in vars(self).items()})

    def satisfied(self, correlation: float = 0.9, mass_ratio: float | None = 0.6) -> Tensor:
        """[B] bool: every phrase that has them reaches this correlation and falls to this mass ratio (None: not asked for).

        False where no phrase has any: phrases that are wanted throughout never have enough.
        """
        enough, judged = (self.correlation >= correlation) | ~self.timed, self.timed
        if mass_ratio is not None:
            enough = enough & ((self.mass_ratio <= mass_ratio) | ~self.contrasted)
            judged = judged | self.contrasted
        return enough.all(-1) & judged.any()


def tempo_losses(attention: Tensor, masks: Tensor, wanted_mass: float = 1.0) -> TempoLosses:
    """Attention [B, P, F, S] of P phrases in F latent frames of S > 1 tokens, masks [P, F] in [0, 1] on its device -> losses.

    `wanted_mass` 1 is the paper's; phrases without inactive frames have at least 0.3.
    In float32, or float64 if the attention is; differentiable in the attention; nothing waits for the device.
    """
    attention = attention.to(torch.promote_types(attention.dtype, torch.float32))
    active, inactive = masks > ACTIVE, masks < ACTIVE
    masks, tokens = masks.to(attention.dtype), attention.shape[-1]
    mass = attention.sum(-1)
    mass_inactive, mass_active = _mean_over(mass, inactive), _mean_over(mass, active)
    contrasted = active.any(-1) & inactive.any(-1)
    share = torch.where(contrasted, wanted_mass, max(wanted_mass, HELD))
    return TempoLosses(
        correlation=_correlation(frame_signal(attention), masks),
        magnitude=(mass_inactive - share * mass_active) * (TUNED_TOKENS / tokens),
        entropy=_mean_over(_map_entropy(attention), active) * (math.log(TUNED_TOKENS) / math.log(tokens)),
        mass_ratio=mass_inactive / (mass_active + TINY),
        timed=_changes(masks),
        contrasted=contrasted,
    )


def frame_signal(attention: Tensor) -> Tensor:
    """[..., F, S] -> [..., F] spatial mean of each frame, min-max normalised over the frames (eps 1e-6)."""
    signal = attention.mean(-1)
    low, high = signal.amin(-1, keepdim=True), signal.amax(-1, keepdim=True)
    return (signal - low) / (high - low + EPSILON)


def _correlation(signal: Tensor, masks: Tensor) -> Tensor:
    """[B, P, F], [P, F] -> [B, P] cov / sqrt((var + 1e-6) (var + 1e-6)) without the first frame; 0 for a constant mask."""
    x = signal[..., 1:] - signal[..., 1:].mean(-1, keepdim=True)
    y = masks[..., 1:] - masks[..., 1:].mean(-1, keepdim=True)
    deviations = (x.square().mean(-1) + EPSILON).sqrt() * (y.square().mean(-1) + EPSILON).sqrt()
    return torch.where(_changes(masks), (x * y).mean(-1) / deviations, 0.0)


def _changes(masks: Tensor) -> Tensor:
    """[P, F] masks -> [P] bool: whether each changes after the first latent frame."""
    return masks[..., 1:].amax(-1) > masks[..., 1:].amin(-1)


def _map_entropy(attention: Tensor) -> Tensor:
    """[..., S] -> [...] entropy in nats of the map scaled to sum 1."""
    p = attention / (attention.sum(-1, keepdim=True) + TINY)
    return -(p * (p + TINY).log()).sum(-1)


def _mean_over(values: Tensor, frames: Tensor) -> Tensor:
    """[B, P, F] values, [P, F] bool -> [B, P] mean over these frames, 0 where there are none."""
    weights = frames.to(values.dtype)
    return (values * weights).sum(-1) / weights.sum(-1).clamp(min=1)
