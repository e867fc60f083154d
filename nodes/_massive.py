"""Sockets and inputs that the nodes on massive activations share."""

from __future__ import annotations

from pathlib import Path

from comfy_api.latest import io

from ..py.records.profile import MassiveProfile
from ..py.techniques.stas_presets import guessed_block, preset_of
from . import _inputs as shared
from ._files import SUFFIX, checked, folder, plain_name

MassiveTrace = io.Custom("TA_MASSIVE_TRACE")
Profile = io.Custom("TA_MASSIVE_PROFILE")

NODE = "Massive Activations"
FOLDER = "massive_profiles"


def steps_input() -> io.Input:
    """Step numbers as text."""
    return shared.steps_input(
        "Sampling steps to average over, such as 0-3, 12. Empty = the step a tenth of the way into the run, as in the paper "
        "(step 5 of 50): massive activations fade as the noise does.",
        placeholder="a tenth into the run",
    )


def channels_input() -> io.Input:
    """Channel numbers as text."""
    return io.String.Input(
        "channels",
        default="",
        placeholder="automatic",
        tooltip="Channels of the block's output to change, such as 1188. Empty = the massive channels in the connected profile, "
        "otherwise the published ones for this model.",
    )


def blocks_input() -> io.Input:
    """Block numbers as text, found by themselves where empty."""
    return io.String.Input(
        "blocks",
        default="",
        advanced=True,
        placeholder="automatic",
        tooltip="Blocks whose output is changed, counted from 0, such as 9. Empty = the published block for this model; for "
        "other models the one at 0.3 of the depth, which is a guess, or the nearest one with massive channels in the profile.",
    )


def profile_input() -> io.Input:
    """A measured profile instead of a preset."""
    return Profile.Input(
        "profile",
        optional=True,
        tooltip="What Massive Activation Report measured or Load Massive Profile read: its massive channels are changed.",
    )


def name_input() -> io.Input:
    """The name of a profile file."""
    return io.String.Input(
        "name",
        default="massive_profile",
        tooltip="Name of the profile: a file in the folder massive_profiles of ComfyUI's output folder.",
    )


def profile_path(name: str) -> Path:
    """The file of a profile, by its name or path. Raises TemporalAttentionError for a name that is no plain file name."""
    kept = folder(FOLDER)
    return kept / f"{checked(plain_name(name, kept))}{SUFFIX}"


def wanted_block(profile: MassiveProfile) -> int:
    """The block that would be steered in the profile's network, wherever its massive channels are."""
    preset = preset_of(profile.blocks, max(profile.hidden.values()))
    return preset.block if preset else guessed_block(profile.blocks)
