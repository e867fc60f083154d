"""Key prompts on their way through the host: collected from a run's conditionings, laid side by side for the network."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..core.errors import TemporalAttentionError
from ..core.events import Forward
from ..core.frame_text import FrameText, KeyMark, KeyTexts, TextLayout
from ..core.intervention import Prompting

KEY = "temporal_attention_key_prompt"  # in a conditioning's options
TEXT, MASK = "c_crossattn", "attention_mask"  # the host's names among a conditioning's inputs of the network
ARGUMENTS = {TEXT: "context", MASK: "attention_mask"}  # and among the network's arguments


def collect(conds: list[dict]) -> tuple[list[dict], dict[object, KeyTexts]]:
    """The conditionings with only the first of each set of key prompts, and each set by the id of its first.

    The others are not asked one by one: the network reads all of a set at once.
    """
    kept, found = [], {}
    waiting = iter(conds)
    for cond in waiting:
        kept.append(cond)
        key: KeyMark | None = cond.get(KEY)
        if key is not None and key.count > 1:
            others = [next(waiting, {}) for _ in range(key.count - 1)]
            found[cond["uuid"]] = _texts(key, [cond, *others])
    return kept, found


def _texts(key: KeyMark, conds: list[dict]) -> KeyTexts:
    if [c.get(KEY) for c in conds] != [replace(key, index=i) for i in range(key.count)]:
        raise TemporalAttentionError(
            f"the {key.count} key prompts of a synopsis one after the other",
            "a conditioning in which some are missing or in another order",
            "Connect the conditioning of Video Synopsis Prompt as it comes; combine it only with whole conditionings.",
        )
    texts = [c["model_conds"][TEXT].cond[0] for c in conds]
    masks = [c["model_conds"][MASK].cond[0] if MASK in c["model_conds"] else None for c in conds]
    return KeyTexts(key.placement, tuple(texts), tuple(masks))


def lay_out(technique: Prompting, forward: Forward, arguments: dict) -> tuple[Forward, dict]:
    """The forward with its text layout, and the network's arguments with every row's texts side by side."""
    own: Tensor = arguments[ARGUMENTS[TEXT]]
    length = max(len(context) for keys in forward.keys if keys for context in keys.contexts)
    plans = tuple(keys and technique.frame_text(forward, keys) for keys in forward.keys)
    layout = TextLayout(plans, length, own.shape[1])
    tokens = max(own.shape[1], length * max(len(plan.mixtures) for plan in plans if plan))
    texts = {
        (keys, plan): _mixtures(technique, plan, [fitted(t.to(own), length) for t in keys.contexts])
        for keys, plan in set(zip(forward.keys, plans, strict=True))
        if keys
    }
    rows = zip(own, forward.keys, plans, strict=True)
    changed = {ARGUMENTS[TEXT]: torch.stack([fitted(texts.get((keys, plan), row), tokens) for row, keys, plan in rows])}
    mask = arguments.get(ARGUMENTS[MASK])
    if mask is not None:
        rows = zip(mask, forward.keys, plans, strict=True)
        masks = [_masks(plan, [fitted(m.to(mask), length) for m in keys.masks]) if keys else m for m, keys, plan in rows]
        changed[ARGUMENTS[MASK]] = torch.stack([fitted(m, tokens) for m in masks])
    return replace(forward, text=layout), arguments | changed


def _mixtures(technique: Prompting, plan: FrameText, texts: list[Tensor]) -> Tensor:
    """The texts [T, C] of a plan's mixtures in a row: [mixtures * T, C]."""
    mixed = [technique.mix(texts[m.first], texts[m.first + 1], m.share) if m.share else texts[m.first] for m in plan.mixtures]
    return torch.cat(mixed)


def _masks(plan: FrameText, masks: list[Tensor]) -> Tensor:
    """Their masks: a mixture shows the words of both."""
    return torch.cat([torch.maximum(masks[m.first], masks[m.first + bool(m.share)]) for m in plan.mixtures])


def fitted(tokens: Tensor, length: int) -> Tensor:
    """[T] or [T, C] filled up with zeros, as the host pads texts."""
    return pad(tokens, (*[0, 0] * (tokens.ndim - 1), 0, length - len(tokens)))
