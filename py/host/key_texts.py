"""Key prompts on their way through the host: collected from a run's conditionings, laid side by side for the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

import comfy.conds
import torch
from torch import Tensor
from torch.nn.functional import pad

from ..core.errors import TemporalAttentionError
from ..core.events import Forward
from ..core.frame_text import FrameText, KeyMark, KeyTexts, RowText, TextLayout
from ..core.intervention import Prompting
from ..core.joint_text import JointText, factors

KEY = "temporal_attention_key_prompt"  # in a conditioning's options
TEXT, MASK = "c_crossattn", "attention_mask"  # the host's names among a conditioning's inputs of the network
USED = "num_tokens"  # where a network is told how many of the tokens are words
CONTEXT = "context"  # the text among the network's arguments; the mask keeps its name


def collect(conds: list[dict], joint: bool) -> tuple[list[dict], dict[object, KeyTexts]]:
    """The conditionings with only the first of each set of key prompts, and each set by the id of its first.

    The others are not asked one by one: the network reads all of a set at once. Where text and video are one sequence (`joint`),
    the first gets the text of all, so that the host never batches it with a shorter one.
    """
    kept, found = [], {}
    waiting = iter(conds)
    for cond in waiting:
        key: KeyMark | None = cond.get(KEY)
        if key is None or key.count == 1:
            kept.append(cond)
            continue
        keys = _texts(key, [cond, *(next(waiting, {}) for _ in range(key.count - 1))])
        found[cond["uuid"]] = keys
        kept.append(_with_all(cond, keys) if joint else cond)
    return kept, found


def _texts(key: KeyMark, conds: list[dict]) -> KeyTexts:
    if [c.get(KEY) for c in conds] != [replace(key, index=i) for i in range(key.count)]:
        raise TemporalAttentionError(
            f"the {key.count} key prompts of a synopsis in order",
            "a conditioning in which some are missing or out of order",
            "Connect the conditioning from Video Synopsis Prompt unchanged; combine it only with whole conditionings.",
        )
    inputs = [c["model_conds"] for c in conds]
    if any(len(given[TEXT].cond) != 1 for given in inputs):
        raise TemporalAttentionError("one text in each key prompt", "a batch of texts", "Use one prompt for all videos.")
    used = [slice(given[USED].cond if USED in given else None) for given in inputs]
    texts = [given[TEXT].cond[0, words] for given, words in zip(inputs, used, strict=True)]
    masks = [given[MASK].cond[0, words] if MASK in given else None for given, words in zip(inputs, used, strict=True)]
    return KeyTexts(key.placement, tuple(texts), tuple(masks))


def _with_all(cond: dict, keys: KeyTexts) -> dict:
    """A conditioning whose text is that of all key prompts side by side."""
    inputs = dict(cond["model_conds"])
    changed = {TEXT: torch.cat(keys.contexts)[None]}
    if MASK in inputs:
        changed[MASK] = torch.cat(keys.masks)[None]
    if USED in inputs:
        changed[USED] = sum(map(len, keys.contexts))
    # The host repeats a shorter text to batch it with a longer one, but not where one has an input that the other lacks.
    alone = {KEY: comfy.conds.CONDConstant(True)}
    return {**cond, "model_conds": inputs | {name: type(inputs[name])(value) for name, value in changed.items()} | alone}


def lay_out(technique: Prompting, forward: Forward, arguments: dict, start: int | None) -> tuple[Forward, dict]:
    """The forward with its text layout, and the network's arguments with every row's texts side by side.

    `start` is where the text begins in a joint sequence, None where the video reads it by cross-attention: there each mixture is
    a text of its own; in a joint sequence the key prompts are, and frames weigh them.
    """
    plans = [keys and technique.frame_text(forward, keys) for keys in forward.keys]
    if start is None:
        return _cross(technique, forward, plans, arguments)
    own: Tensor = arguments[CONTEXT]
    arguments = {name: value for name, value in arguments.items() if name != KEY}
    edges = {keys: (0, *accumulate(map(len, keys.contexts))) for keys in set(forward.keys) if keys}
    rows = tuple(keys and RowText(plan, edges[keys]) for keys, plan in zip(forward.keys, plans, strict=True))
    made = {row: factors(row, own.device) for row in set(rows) if row}
    joint = JointText(start, tuple(made.get(row) for row in rows))
    return replace(forward, text=TextLayout(rows, own.shape[1], joint)), arguments


@dataclass(frozen=True)
class _Laid:
    """The texts of one conditioning side by side: where, [L, C] and [L]."""

    text: RowText
    context: Tensor
    mask: Tensor | None


def _cross(technique: Prompting, forward: Forward, plans: list[FrameText | None], arguments: dict) -> tuple[Forward, dict]:
    own, mask = arguments[CONTEXT], arguments.get(MASK)
    laid = {pair: _mixtures(technique, *pair, own, mask) for pair in set(zip(forward.keys, plans, strict=True)) if pair[0]}
    rows = [laid.get(pair) for pair in zip(forward.keys, plans, strict=True)]
    tokens = max(own.shape[1], *(row.text.edges[-1] for row in laid.values()))
    changed = {CONTEXT: _rows([row and row.context for row in rows], own, tokens)}
    if mask is not None:
        changed[MASK] = _rows([row and row.mask for row in rows], mask, tokens)
    layout = TextLayout(tuple(row and row.text for row in rows), own.shape[1])
    return replace(forward, text=layout), arguments | changed


def _mixtures(technique: Prompting, keys: KeyTexts, plan: FrameText, own: Tensor, mask: Tensor | None) -> _Laid:
    """Every mixture of a plan; a mixture shows the words of both its key prompts."""
    length = max(map(len, keys.contexts))
    texts = [fitted(text.to(own), length) for text in keys.contexts]
    mixed = [technique.mix(texts[m.first], texts[m.first + 1], m.share) if m.share else texts[m.first] for m in plan.mixtures]
    row = RowText(plan, tuple(range(0, len(mixed) * length + 1, length)))
    if mask is None:
        return _Laid(row, torch.cat(mixed), None)
    masks = [fitted(own_mask.to(mask), length) for own_mask in keys.masks]
    words = [torch.maximum(masks[m.first], masks[m.first + bool(m.share)]) for m in plan.mixtures]
    return _Laid(row, torch.cat(mixed), torch.cat(words))


def _rows(rows: list[Tensor | None], own: Tensor, tokens: int) -> Tensor:
    """A batch of these rows, of the network's own where there is None, filled up to so many tokens."""
    return torch.stack([fitted(own[i] if row is None else row, tokens) for i, row in enumerate(rows)])


def fitted(tokens: Tensor, length: int) -> Tensor:
    """[T] or [T, C] filled up with zeros, as the host pads texts."""
    return pad(tokens, (*[0, 0] * (tokens.ndim - 1), 0, length - len(tokens)))
