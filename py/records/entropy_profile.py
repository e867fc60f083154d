"""Entropy and energy of every block of a traced run, for each kind of attention apart.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 3.4 and Fig. 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..core.errors import TemporalAttentionError
from ..core.events import Branch, Site
from ..core.trace import Record, Trace

MAIN_KINDS = ("self-attention", "joint attention", "temporal attention")  # a network has one of them: the one that decides


@dataclass(frozen=True)
class EntropyProfile:
    """One kind of attention of one network.

    Args:
        name: the kind, such as "self-attention" or "cross-attention to text".
        entropy: block -> mean row entropy in % of log(number of keys).
        energy: block -> place of E(AV) between E(UV) = 0 % and E(IV) = 100 %; none where there is no IV.
        outside, calls: how many of the calls had an energy outside 0 to 100 %, and how many had one at all.
    """

    name: str
    entropy: Mapping[int, float]
    energy: Mapping[int, float]
    outside: int
    calls: int

    @property
    def mean(self) -> float:
        """Entropy of the whole network in %."""
        return float(np.mean(list(self.entropy.values())))

    @property
    def highest(self) -> int:
        """i*, the block of highest entropy (Eq. 3); the first of equal ones."""
        return max(self.entropy, key=lambda block: self.entropy[block])

    @property
    def lowest(self) -> int:
        """The block of lowest entropy; the first of equal ones."""
        return min(self.entropy, key=lambda block: self.entropy[block])

    @property
    def halves(self) -> tuple[frozenset[int], frozenset[int]]:
        """The blocks of the higher and of the lower half by entropy; of an odd number the middle one is in the higher."""
        ranked = sorted(self.entropy, key=lambda block: -self.entropy[block])
        half = (len(ranked) + 1) // 2
        return frozenset(ranked[:half]), frozenset(ranked[half:])


def kind_of(site: Site) -> str:
    """What is measured together: the kind of attention, and for cross-attention what it reads."""
    if site.kind == "cross":
        return f"cross-attention to {site.keys}"
    return "self-attention" if site.kind == "self" else f"{site.kind} attention"


def by_kind(trace: Trace) -> dict[str, Trace]:
    """The records that hold an entropy, by kind: those of attention to the video first."""
    records = trace.holding("entropy").records
    names = sorted({kind_of(r.site) for r in records}, key=lambda name: (name not in MAIN_KINDS, name.startswith("cross"), name))
    return {name: Trace(trace.family, trace.blocks, [r for r in records if kind_of(r.site) == name]) for name in names}


def profiles_of(trace: Trace, steps: frozenset[int] | None = None, branch: Branch | None = None) -> dict[str, EntropyProfile]:
    """A profile for each kind of attention, averaged over samples, heads, and the chosen steps and branch (None = all).

    Raises TemporalAttentionError where no entropy was recorded there.
    """
    chosen = {name: part.select(branch, steps) for name, part in by_kind(trace).items()}
    profiles = {name: _profile(name, records) for name, records in chosen.items()}
    found = {name: profile for name, profile in profiles.items() if profile.entropy}
    if not found:
        raise TemporalAttentionError(
            "recorded entropies in the chosen steps and branch",
            "none",
            "Set entropy_rows of Trace Attention above 0 (64 is enough), and choose steps that were recorded.",
        )
    return found


def main_profile(profiles: Mapping[str, EntropyProfile]) -> EntropyProfile:
    """The one that decides: attention of the video to itself over time where there is one."""
    return profiles[next((name for name in MAIN_KINDS if name in profiles), next(iter(profiles)))]


def entropy_percent(record: Record) -> float:
    """Mean row entropy over the heads of one call, in %; NaN where each row has a single key."""
    return 100 * float(np.mean(record.values["entropy"]))


def energy_percent(record: Record) -> float:
    """Where E(AV) of one call lies between E(UV) = 0 % and E(IV) = 100 %; NaN without an IV, or where both are one."""
    attended, uniform, identity = map(float, record.values["energy"])
    return 100 * (attended - uniform) / (identity - uniform) if identity != uniform else float("nan")


def _profile(name: str, records: list[Record]) -> EntropyProfile:
    energies = [(record.site.block, energy_percent(record)) for record in records]
    known = [value for _, value in energies if np.isfinite(value)]
    outside = sum(not 0 <= value <= 100 for value in known)
    entropies = [(record.site.block, entropy_percent(record)) for record in records]
    return EntropyProfile(name, _means(entropies), _means(energies), outside, len(known))


def _means(values: Iterable[tuple[int, float]]) -> dict[int, float]:
    """block -> mean of its values, without those that are no number."""
    found: dict[int, list[float]] = {}
    for block, value in values:
        if np.isfinite(value):
            found.setdefault(block, []).append(value)
    return {block: float(np.mean(of_block)) for block, of_block in sorted(found.items())}
