"""Massive activations in words: which channels, where, how far above the others, and what to steer."""

from __future__ import annotations

import numpy as np

from ..core.trace import Record
from ..maths.massive_activations import DEVIATIONS, MASSIVE
from ..records.findings import Finding, candidates, massive_channels, weak_channels
from ..records.profile import MassiveProfile
from .blocks import block_list
from .massive_values import REGIONS, of_channel

MOST_ROWS = 12
COLUMNS = f"{'channel':>7}  {'kind':<7}  {'block':>5}  {'peak':>9}  {'peak/mean':>9}  {'peak/median':>11}"
HEADER = f"{COLUMNS}  peak in {' : '.join(REGIONS)}; found in blocks"
RULE = f"massive: a peak over {MASSIVE:g} x the mean of all channels' peaks; weak: over it + {DEVIATIONS:g} standard deviations"


def massive_report(profile: MassiveProfile, records: list[Record], wanted: int, note: str = "") -> str:
    """Plain text: the massive and weakly massive channels of a profile, or the best candidates where nothing is massive.

    Args:
        records: those of the run behind the profile, for the magnitudes by region.
        wanted: the block that would be steered if massive channels are there.
    """
    lines = [
        f"{profile.family}, {profile.blocks} blocks, {profile.measured}, averaged over {profile.rows} rows{note}",
        RULE,
        "",
    ]
    strong, weak = massive_channels(profile), weak_channels(profile)
    lines += _table([("massive", finding) for finding in strong] + [("weak", finding) for finding in weak], records)
    return "\n".join([*lines, "", *_conclusion(profile, wanted)])


def nothing_massive(profile: MassiveProfile) -> str:
    """What there is instead of massive activations: the best candidates and their ratios."""
    best = ", ".join(f"channel {f.channel} of block {f.block} ({f.to_mean:.1f} x)" for f in candidates(profile, 3))
    return f"no peak over {MASSIVE:g} x the mean peak; the best candidates are {best}"


def _conclusion(profile: MassiveProfile, wanted: int) -> list[str]:
    found = profile.to_steer(wanted)
    if found is None:
        return [f"No massive activation: {nothing_massive(profile)}.", "Nothing would be steered."]
    block, channels = found
    return [f"To steer: block {block}, channel {', '.join(map(str, channels))} (massive there, and nearest to block {wanted})."]


def _table(rows: list[tuple[str, Finding]], records: list[Record]) -> list[str]:
    if not rows:
        return ["no channel stands out"]
    left_off = [f"... and {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else []
    return [HEADER, *(_row(kind, finding, records) for kind, finding in rows[:MOST_ROWS]), *left_off]


def _row(kind: str, f: Finding, records: list[Record]) -> str:
    numbers = f"{f.peak:>9.4g}  {f.to_mean:>9.1f}  {f.to_median:>11.1f}"
    magnitudes = _magnitudes([record for record in records if record.site.block == f.block], f.channel)
    return f"{f.channel:>7}  {kind:<7}  {f.block:>5}  {numbers}  {magnitudes}; {block_list(f.blocks)}"


def _magnitudes(records: list[Record], channel: int) -> str:
    values = of_channel(records, "region.peaks", channel)
    return "not recorded" if values is None else " : ".join("-" if np.isnan(v) else f"{v:.4g}" for v in values)
