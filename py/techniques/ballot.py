"""Entropies of the blocks over the first steps of a run, and the block that they choose."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

STEPS_AT_MOST, SHARE_OF_THE_RUN, SHARE_OF_THE_WINDOW = 3, 0.25, 0.5
LOW = 0.5  # mean entropy of the highest block below which the network counts as one of low entropy (CogVideoX: 15-45 %)


def measured_steps(total: int, window: int) -> int:
    """How many steps measure: a quarter of the run, half of the steps in the window, at most three, at least one."""
    return max(1, min(STEPS_AT_MOST, int(total * SHARE_OF_THE_RUN), int(window * SHARE_OF_THE_WINDOW)))


@dataclass
class Ballot:
    """Entropies [B, H] in 0 to 1, noted by block and step; they stay on their device until `close`."""

    notes: dict[tuple[int, int], list[Tensor]] = field(default_factory=dict)
    chosen: int | None = None
    closed: bool = False
    entropies: dict[int, float] = field(default_factory=dict)

    def note(self, step: int, block: int, entropy: Tensor) -> None:
        """Adds what one call measured."""
        self.notes.setdefault((step, block), []).append(entropy)

    @property
    def steps(self) -> int:
        """Steps that have measured."""
        return len({step for step, _ in self.notes})

    def close(self) -> dict[int, float]:
        """Mean entropy of every block over samples, heads and steps: the one place that waits for the device."""
        by_block: dict[int, list[Tensor]] = {}
        device = next(iter(self.notes.values()))[0].device  # with several GPUs, notes are on several
        for (_, block), entropies in sorted(self.notes.items(), key=lambda note: note[0][1]):
            by_block.setdefault(block, []).extend(x.flatten().to(device) for x in entropies)
        self.notes.clear()
        self.closed = True
        means = torch.stack([torch.cat(values).mean() for values in by_block.values()]).tolist()
        self.entropies = dict(zip(by_block, means, strict=True))
        return self.entropies

    def lowest(self, share: float) -> frozenset[int]:
        """This share of the blocks, rounded: those of lowest entropy."""
        ranked = sorted(self.entropies, key=self.entropies.__getitem__)
        return frozenset(ranked[: round(share * len(ranked))])


def elected(entropies: dict[int, float]) -> int:
    """i*: the block of highest entropy (Eq. 3); of a network where all are low, the lowest of the middle third (section 7.3)."""
    if max(entropies.values()) >= LOW:
        return max(entropies, key=entropies.__getitem__)
    blocks = sorted(entropies)
    third = len(blocks) // 3
    return min(blocks[third : len(blocks) - third], key=entropies.__getitem__)
