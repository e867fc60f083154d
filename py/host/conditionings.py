"""The conditionings of a run as the host has made them ready: whose each is, and which of them the pack cannot serve."""

from __future__ import annotations

from math import isclose
from uuid import uuid4

from comfy.samplers import CFGGuider
from torch import Tensor

from ..core.errors import TemporalAttentionError
from ..core.events import Branch
from ..core.intervention import Intervention, Observer
from .key_texts import KEY

Conds = dict[str, list[dict]]  # the guider's, by the name of their side
TIME_AND_PICTURE = 3  # dimensions of an area that has a time: their sizes, then where it begins in each


def sides(conds: Conds) -> dict[object, str]:
    """The side of each conditioning by its id."""
    return {cond["uuid"]: name for name, side in conds.items() for cond in side if "uuid" in cond}


def branches(conds: Conds) -> dict[object, Branch]:
    """The branch of each conditioning by its id: its position alone is not enough, guiders order them differently."""
    return {key: Branch.UNCOND if "negative" in name else Branch.COND for key, name in sides(conds).items()}


def refuse_absent_sides(chain: tuple[Intervention, ...], guider, model_options: dict) -> None:
    """Raises TemporalAttentionError where something acts on one side of guidance alone, which this run never asks for.

    At cfg 1 the host's own guidance leaves the negative side out. A side that is there in some steps only is no error.
    """
    there = set(branches(guider.conds).values())
    hosts = type(guider).predict_noise is CFGGuider.predict_noise
    plain = hosts and isclose(guider.cfg, 1.0) and not model_options.get("disable_cfg1_optimization", False)
    for i in chain:
        absent = i.branch not in there or (plain and i.branch is Branch.UNCOND)
        if i.branch is not None and absent and not isinstance(i, Observer):
            raise TemporalAttentionError(
                f"predictions of the side that {type(i).__name__} acts on ({i.branch.value} only)",
                "cfg 1, at which there are only those of the positive prompt" if plain else "a guider that makes none",
                "Raise cfg, or choose another branch or rule.",
            )


def texts(conds: Conds) -> dict[object, Tensor]:
    """The encoded text [B, L, C] of each conditioning that has one, by its id."""
    return {cond["uuid"]: cond["cross_attn"] for side in conds.values() for cond in side if cond.get("cross_attn") is not None}


def tell_apart(conds: Conds, given: dict[object, str]) -> None:
    """Gives conditionings that the host copied from another side an id of their own, in place.

    Where one side has an area that another lacks, the host copies its conditioning there, with the text of that side but with
    everything else: the id, and the mark of a key prompt, whose text it no longer has.

    Args:
        given: the side of each id before the host made the conditionings ready.
    """
    for name, side in conds.items():
        conds[name] = [_own(cond) if given.get(cond.get("uuid"), name) != name else cond for cond in side]


def refuse_areas_over_time(conds: Conds, frames: int) -> None:
    """Raises TemporalAttentionError where a conditioning is for some of the latent frames of a video.

    The host lets such parts share a network call, whose rows would then be different frames.
    """
    for area in (cond["area"] for side in conds.values() for cond in side if len(cond.get("area", ())) == 2 * TIME_AND_PICTURE):
        length, start = area[0], area[TIME_AND_PICTURE]
        if start > 0 or length < frames:
            raise TemporalAttentionError(
                "conditionings for all frames of the video",
                f"one for {length} of {frames} latent frames, from frame {start} on (an area over time)",
                "Set temporal to 1 and z to 0 in the node that sets the area, or remove this pack's nodes. To give frames their "
                "own texts, use Video Synopsis Prompt.",
            )


def _own(copy: dict) -> dict:
    return {name: value for name, value in copy.items() if name != KEY} | {"uuid": uuid4()}
