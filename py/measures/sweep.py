"""What a perturbation sweep tries, and what came of it.

Understanding Attention Mechanism in Video Diffusion Models (Liu et al.), section 3.1 (one layer at a time) and Fig. 15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..records.entropy_profile import EntropyProfile
from .change import Change

ONE_BLOCK = "block"
GROUPS = ("higher entropy", "lower entropy", "first half", "last half")


@dataclass(frozen=True)
class Item:
    """One run: `blocks` perturbed by `perturbation`; `group` is ONE_BLOCK or the name of a group of blocks."""

    group: str
    blocks: frozenset[int]
    perturbation: str


@dataclass(frozen=True)
class Sweep:
    """The changes of all items, against the run without any perturbation."""

    changes: Mapping[Item, Change]

    @property
    def perturbations(self) -> list[str]:
        """Those that were tried, in order."""
        return list(dict.fromkeys(item.perturbation for item in self.changes))

    def singles(self, perturbation: str) -> dict[int, Change]:
        """block -> what perturbing it alone changes."""
        items = ((i, c) for i, c in self.changes.items() if (i.group, i.perturbation) == (ONE_BLOCK, perturbation))
        return {min(item.blocks): change for item, change in items}

    def groups(self, perturbation: str) -> dict[str, Change]:
        """group -> what perturbing all of its blocks changes."""
        return {i.group: c for i, c in self.changes.items() if i.group != ONE_BLOCK and i.perturbation == perturbation}


def items(profile: EntropyProfile, blocks: Iterable[int], perturbations: Iterable[str]) -> list[Item]:
    """Every chosen block alone, then the groups, each with every perturbation."""
    alone = [(ONE_BLOCK, frozenset({block})) for block in sorted(blocks)]
    return [Item(*which, perturbation) for which in (*alone, *groups(profile).items()) for perturbation in perturbations]


def groups(profile: EntropyProfile) -> dict[str, frozenset[int]]:
    """The halves by entropy, and by place in the network (in a UNet nearly its down- and its up-sampling part)."""
    ordered = sorted(profile.entropy)
    half = (len(ordered) + 1) // 2
    members = (*profile.halves, frozenset(ordered[:half]), frozenset(ordered[half:]))
    return {name: blocks for name, blocks in zip(GROUPS, members, strict=True) if blocks}
