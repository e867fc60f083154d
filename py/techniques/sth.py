"""Spectral Transport Homeostasis: sharpens over-mixed temporal attention and softens fragmented one.

Temporal State Transport in Video Generation: Diagnosing and Correcting Spectral Imbalance (Tang et al.), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.attention import Attention
from ..core.checks import finite, one_of
from ..core.intervention import Intervention
from ..maths.entropy import tension, von_neumann_entropy
from ..maths.weights import deep_strong, early_strong
from .estimator import Estimator

RULES = ("query temperature", "output gain")
LAYER_WEIGHTS = ("deep strong", "flat")
STEP_WEIGHTS = ("progress", "noise level", "flat")


@dataclass(frozen=True, kw_only=True)
class SpectralTransportHomeostasis(Intervention):
    """Rescales queries by gamma = exp(tau_eff T), tau_eff = tau w_layer w_step (Eq. 5 to 7), for each sample and branch.

    Args:
        tau: strength; 0 is neutral, 0.2 the paper's default.
        rule: "query temperature" (the paper) or "output gain" (what the authors' code does: the attention output times
            1 + tau_eff (1 - mean diagonal of A) H_vN (1 - H_vN)).
        estimator: how the frame attention A is measured.
        per_head: one gamma a head (K.3 of the paper) instead of one a call from the mean tension over heads.
        layer_weight: "deep strong" (0.5 - 0.5 cos(pi x)) or "flat".
        step_weight: "progress" (0.5 + 0.5 cos(pi p)), "noise level" (the same with p = 1 - noise) or "flat".
    """

    tau: float = 0.2
    rule: str = RULES[0]
    estimator: Estimator = field(default_factory=Estimator)
    per_head: bool = False
    layer_weight: str = LAYER_WEIGHTS[0]
    step_weight: str = STEP_WEIGHTS[0]

    def __post_init__(self):
        finite("tau", self.tau)
        for name, allowed in (("rule", RULES), ("layer_weight", LAYER_WEIGHTS), ("step_weight", STEP_WEIGHTS)):
            one_of(name, getattr(self, name), allowed)

    @classmethod
    def neutral(cls) -> SpectralTransportHomeostasis:
        """tau = 0: gamma is 1 everywhere."""
        return cls(tau=0.0)

    def acts(self) -> bool:
        """False at tau = 0."""
        return self.tau != 0.0

    def before(self, call: Attention) -> Attention:
        """q <- gamma q on the video queries (Eq. 6)."""
        if self.rule != "query temperature":
            return call
        tau = self._effective_tau(call)
        gamma = self._gamma(call, tau) if tau else call.q.new_ones(len(call.rows), dtype=torch.float32)
        call.note("gamma", gamma)
        call.note("tau_eff", torch.full_like(gamma, tau))
        return call.edit(q=_multiplied(call.q, gamma, call.forward.grid.video)) if tau else call

    def after(self, call: Attention, out: Tensor) -> Tensor:
        """The authors' code: output gain 1 + tau_eff (1 - mean diagonal of A) H_vN (1 - H_vN) on the video tokens."""
        if self.rule != "output gain":
            return out
        tau = self._effective_tau(call)
        if not tau:
            return out
        measured = self.estimator.measure(call)
        h_vn = von_neumann_entropy(measured.rho)
        leaving = 1 - measured.matrix.diagonal(dim1=-2, dim2=-1).mean(-1)
        gain = self._over_heads(1 + tau * leaving * h_vn * (1 - h_vn))
        call.note("gain", gain)
        call.note("tau_eff", torch.full_like(gain, tau))
        return _multiplied(out, gain, call.forward.grid.video)

    def _gamma(self, call: Attention, tau: float) -> Tensor:
        measured = self.estimator.measure(call)
        return torch.exp(tau * self._over_heads(tension(measured.h_row, von_neumann_entropy(measured.rho))))

    def _over_heads(self, per_head: Tensor) -> Tensor:
        return per_head if self.per_head else per_head.mean(-1)

    def _effective_tau(self, call: Attention) -> float:
        step = call.forward.step
        p = {"progress": step.progress, "noise level": 1 - step.noise, "flat": 0.0}[self.step_weight]
        layer = deep_strong(call.site.depth) if self.layer_weight == "deep strong" else 1.0
        return self.tau * layer * early_strong(p)


def _multiplied(x: Tensor, factor: Tensor, tokens: slice) -> Tensor:
    """x [B, H, L, D] with `tokens` multiplied by factor [B] or [B, H], rounded once to x's dtype."""
    factor = factor.reshape(*factor.shape, *[1] * (4 - factor.ndim))
    if tokens == slice(0, x.shape[2]):
        if torch.is_grad_enabled():  # autograd knows no out=
            return (x * factor).to(x.dtype)
        return torch.mul(x, factor, out=torch.empty_like(x))
    x = x.clone()
    x[:, :, tokens] = x[:, :, tokens] * factor
    return x
