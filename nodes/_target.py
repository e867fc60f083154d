"""Which channels of which blocks a node changes: those given, else those of a profile, else those published for the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..py.core.errors import TemporalAttentionError
from ..py.core.intervention import Where
from ..py.host.families import adapter_of, blocks_of
from ..py.host.hidden_size import hidden_size
from ..py.records.profile import MassiveProfile
from ..py.techniques.stas_presets import Preset, guessed_block, preset_of
from ..py.views.massive import nothing_massive
from . import _inputs as shared


@dataclass(frozen=True)
class Network:
    """The shape of a loaded network; `hidden`: block -> channels of its output."""

    family: str
    hidden: Mapping[int, int]

    @classmethod
    def of(cls, model) -> Network:
        """The network of a MODEL."""
        return cls(adapter_of(model).family, {block.site.block: hidden_size(block) for block in blocks_of(model)})

    @property
    def preset(self) -> Preset | None:
        """The published settings for this shape."""
        return preset_of(len(self.hidden), max(self.hidden.values()))


@dataclass(frozen=True)
class Target:
    """`channels` of the output of the blocks in `where`, the `preset` for all else, and where they come from in words."""

    channels: tuple[int, ...]
    where: Where
    preset: Preset | None
    said: str


def target(model, channels: str, blocks: str, profile: MassiveProfile | None) -> Target:
    """What to change. Raises TemporalAttentionError where the network has no such channels or blocks, or none are known."""
    network = Network.of(model)
    count, preset = len(network.hidden), network.preset
    if profile is not None:
        profile.check_fits(network.family, count, network.hidden)
    given = Where(blocks=shared.numbers(blocks, "block numbers"))
    given.check(count)
    usual = preset.block if preset else guessed_block(count)
    measured = profile.to_steer(min(given.blocks or {usual})) if profile is not None else None
    chosen, whence = _channels(shared.numbers(channels, "channel numbers"), profile, measured, network)
    where = given if given.blocks else Where(blocks=frozenset({measured[0] if measured else usual}))
    _check_channels(chosen, where, network)
    guess = "" if given.blocks or preset or measured else f" (a guess: 0.3 of the depth of {count} blocks)"
    numbers = ", ".join(map(str, chosen))
    return Target(chosen, where, preset, f"channel {numbers} ({whence}) of block {_list(where.blocks)}{guess}")


def _channels(
    given: frozenset[int] | None, profile: MassiveProfile | None, measured: tuple[int, tuple[int, ...]] | None, network: Network
) -> tuple[tuple[int, ...], str]:
    """The channels, and where they come from."""
    if given:
        return tuple(sorted(given)), "as given"
    if measured:
        return measured[1], f"massive in the profile at block {measured[0]}"
    if profile is not None:
        raise TemporalAttentionError(
            "a profile with massive activations",
            nothing_massive(profile),
            "Nothing is steered. To steer anyway, type channel numbers into channels; otherwise remove this node.",
        )
    if network.preset:
        return network.preset.channels, f"published for {network.preset.model}, which has the same shape"
    size = " and ".join(map(str, sorted(set(network.hidden.values()))))
    raise TemporalAttentionError(
        "the massive channels of this model",
        f"neither numbers nor a profile, for {network.family} of {len(network.hidden)} blocks and hidden size {size}, whose "
        "channels were never published",
        "Measure them with Massive Activations and connect the profile from its report, or type channel numbers.",
    )


def _check_channels(channels: tuple[int, ...], where: Where, network: Network) -> None:
    size = min(network.hidden[block] for block in where.blocks)
    outside = [channel for channel in channels if channel >= size]
    if outside:
        raise TemporalAttentionError(
            f"channel numbers from 0 to {size - 1} (the hidden size there is {size})",
            f"channel {', '.join(map(str, outside))}",
            "Change the channels.",
        )


def _list(numbers: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
