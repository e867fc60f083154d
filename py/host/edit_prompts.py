"""Source and target as one conditioning: the host makes a batch of pairs of it, and can honour only one of everything else."""

from __future__ import annotations

from comfy.conds import is_equal
from comfy.controlnet import ControlBase
from comfy.hooks import HookGroup
from torch import Tensor, cat
from torch.nn.functional import pad

from ..core.errors import TemporalAttentionError

# What the host reads of a conditioning besides the network's inputs: in words, and what holds where it is not set.
SHARED = {
    "start_percent": ("timestep range", 0.0),
    "end_percent": ("timestep range", 1.0),
    "clip_start_percent": ("timestep range", 0.0),
    "clip_end_percent": ("timestep range", 1.0),
    "control": ("ControlNet", None),
    "hooks": ("hooks (such as LoRA)", None),
    "strength": ("strength", 1.0),
    "mask": ("mask", None),
    "mask_strength": ("mask strength", 1.0),
    "set_area_to_bounds": ("area of the mask", False),
    "area": ("area", None),
    "gligen": ("GLIGEN", None),
}
TEXT_LENGTH = "num_tokens"
ADVICE = "Send both through the same nodes with the same settings: they are sampled together, so only the text may differ."


def refuse_unlike(source: dict, target: dict) -> None:
    """Raises TemporalAttentionError where the options of two conditionings differ in what holds for both in an edit."""
    unlike = {words for key, (words, unset) in SHARED.items() if not _alike(source.get(key, unset), target.get(key, unset))}
    if unlike:
        raise TemporalAttentionError(
            "source and target that differ only in their text", f"another {', another '.join(sorted(unlike))}", ADVICE
        )


def _alike(one: object, other: object) -> bool:
    """Equal by value; ControlNets by their settings, which every node that applies one copies."""
    if one is other:
        return True
    if isinstance(one, ControlBase) and isinstance(other, ControlBase):
        return is_equal(_controlnets(one), _controlnets(other))
    if isinstance(one, HookGroup) and isinstance(other, HookGroup):
        return [(hook, hook.hook_keyframe) for hook in one.hooks] == [(hook, hook.hook_keyframe) for hook in other.hooks]
    return is_equal(one, other)


def _controlnets(last: ControlBase | None) -> list[tuple]:
    """Class and settings of a ControlNet and of those applied before it."""
    found = []
    while last is not None:
        found.append((type(last), {**vars(last), "previous_controlnet": None}))
        last = last.previous_controlnet
    return found


def side_by_side(source: dict, target: dict) -> dict:
    """The source's conditioning with both texts as a batch of two, which the host repeats over the pairs.

    Raises TemporalAttentionError where the network takes an input of one of them only, or one for the whole batch.
    """
    differing = sorted(set(source["model_conds"]) ^ set(target["model_conds"]))
    if differing:
        raise TemporalAttentionError(
            "source and target with the same inputs besides the text",
            f"{', '.join(differing)} in only one of them",
            "Send both through the same nodes, such as those that add an image.",
        )
    merged = dict(source)
    merged["model_conds"] = {name: _both(name, cond, target["model_conds"][name]) for name, cond in source["model_conds"].items()}
    return merged


def unlike_lengths(source: dict, target: dict) -> str:
    """What to tell of two texts where the network reads what fills the shorter one up; "" where it reads only words."""
    lengths = [_tokens_read(side["model_conds"]) for side in (source, target)]
    if lengths[0] == lengths[1]:
        return ""
    return (
        f"The source's text has {lengths[0]} tokens and the target's {lengths[1]}. They are sampled as one, and this network "
        "also reads what fills the shorter one up: a video of that prompt alone would look different. Prompts with the same "
        "number of words avoid it"
    )


def _tokens_read(conds: dict) -> int | None:
    """How many tokens of a text the network reads; None where a mask says it for each row of a batch, or there is no text."""
    if TEXT_LENGTH in conds:
        return int(conds[TEXT_LENGTH].cond)
    text = conds.get("c_crossattn")
    return None if text is None or "attention_mask" in conds else text.cond.shape[1]


def _both(name: str, source, target):
    """One input of the network for both: texts as a batch of two; what is already a batch of pairs, alternately."""
    if name == TEXT_LENGTH:
        return type(source)(max(source.cond, target.cond))  # the number of tokens that are no padding
    if not isinstance(source.cond, Tensor) or source.cond.ndim < 2:
        if not is_equal(source.cond, target.cond):
            raise TemporalAttentionError(f"source and target with the same {name}", "different ones", ADVICE)
        return source
    one, other = source.cond, target.cond
    if len(one) > 1:
        both = one.clone()
        both[1::2] = other[1::2]
        return type(source)(both)
    length = max(one.shape[1], other.shape[1])
    return type(source)(cat([_padded(one, length), _padded(other, length)]))


def _padded(x: Tensor, length: int) -> Tensor:
    """[1, T, ...] filled up with zeros to this length, as the host pads texts."""
    return pad(x, (*[0, 0] * (x.ndim - 2), 0, length - x.shape[1]))
