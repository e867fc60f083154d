"""A perturbation sweep in words: a table of all runs, and which blocks matter most for what."""

from __future__ import annotations

import math

from ..measures.change import Change
from ..measures.sweep import ONE_BLOCK, Item, Sweep
from ..records.entropy_profile import EntropyProfile
from .blocks import block_list

READING = (
    "energy: of the difference, in % of the unchanged latent's; SSIM: with the unchanged frames, 1 = the same; "
    "motion: difference of neighbouring frames, in % more (+) or less (-)"
)
HEADER = f"{'blocks':<28}{'entropy %':>10}  {'replaced by':<12}{'energy %':>10}{'SSIM':>8}{'motion %':>10}"


def sweep_report(sweep: Sweep, profile: EntropyProfile, head: str) -> str:
    """Plain text: one run a line, then the blocks that change most."""
    rows = [_row(item, change, profile) for item, change in sweep.changes.items()]
    return "\n".join([head, READING, "", HEADER, *rows, "", *_strongest(sweep)])


def _row(item: Item, change: Change, profile: EntropyProfile) -> str:
    listed = block_list(item.blocks)
    name = listed if item.group == ONE_BLOCK else f"{item.group} ({listed})"
    entropy = sum(profile.entropy[block] for block in item.blocks) / len(item.blocks)
    measured = f"{change.energy:10.3f}{change.structure:8.3f}{_number(change.motion):>10}"
    return f"{name:<28}{entropy:10.1f}  {item.perturbation:<12}{measured}"


def _strongest(sweep: Sweep) -> list[str]:
    lines = []
    for perturbation in sweep.perturbations:
        singles = sweep.singles(perturbation)
        if singles:
            energy = max(singles, key=lambda block: singles[block].energy)
            structure = min(singles, key=lambda block: singles[block].structure)
            least = min(singles, key=lambda block: singles[block].energy)
            ends = f"block {energy} changes most, block {least} least"
            lines.append(f"{perturbation}: {ends}; block {structure} holds most structure")
    return lines


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.1f}"
