"""An entropy profile in words, with block lists that can be pasted into other nodes."""

from __future__ import annotations

from collections.abc import Mapping

from ..records.entropy_profile import EntropyProfile, main_profile
from .blocks import block_list

LOW = 50.0  # section 7.3 of the paper: CogVideoX, 15 to 45 %


def entropy_report(profiles: Mapping[str, EntropyProfile], head: str) -> str:
    """Plain text: for each kind of attention its blocks by number, the highest, the lowest and both halves."""
    lines = [head, "entropy in % of its maximum: 0 = identity, each token alone; 100 = uniform, all keys alike"]
    for profile in profiles.values():
        lines += ["", *_of_kind(profile)]
    if main_profile(profiles).mean < LOW:
        lines += ["", f"Entropies are below {LOW:g} %: this model is close to the identity, and replacing patterns is drastic."]
    return "\n".join(lines)


def _of_kind(profile: EntropyProfile) -> list[str]:
    upper, lower = profile.halves
    lines = [f"{profile.name}: mean entropy {profile.mean:.1f} %", f"{'block':>7}{'entropy %':>11}{'energy %':>11}"]
    for block, entropy in profile.entropy.items():
        energy = f"{profile.energy[block]:11.1f}" if block in profile.energy else f"{'-':>11}"
        marks = [mark for mark, marked in (("highest", profile.highest), ("lowest", profile.lowest)) if marked == block]
        lines.append(f"{block:>7}{entropy:11.1f}{energy}  {', '.join(marks)}".rstrip())
    lines += [f"higher half: {block_list(upper)}", f"lower half: {block_list(lower)}"]
    if profile.calls:
        bounds = "its bounds (uniform 0 %, identity 100 %)"
        lines.append(f"energy of the output outside {bounds}: {profile.outside} of {profile.calls} calls")
    return lines
