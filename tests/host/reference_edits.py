"""The tests' own edits of a network, without any of the pack: its attention function is replaced in the module it is found in.

The host's models look `optimized_attention` up by name, so replacing that name edits the calls of one model file; hooks tell
those of the main blocks from the others (text refiners, cross-attention, audio, control blocks).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest.mock import patch

import torch
from comfy.model_management import load_models_gpu
from reference_families import Family, Video, family_of


@contextmanager
def edited_attention(model, edit):
    """Within it, the attention over the video (or the block outputs) of a MODEL's network carry one edit made by hand."""
    load_models_gpu([model])  # some networks are complete only when they are loaded
    network = model.model.diffusion_model
    family = family_of(network)
    video = Video(family.after(network))
    with ExitStack() as undo:
        undo.callback(network.register_forward_pre_hook(partial(measure, family, video), with_kwargs=True).remove)
        (shift_blocks if edit == "BlockShift" else partial(replace_attention, edit))(network, family, video, undo)
        yield


def measure(family: Family, video: Video, network, args, kwargs):
    """Notes how the network's input is cut into tokens."""
    x = args[0][0] if isinstance(args[0], list) else args[0]  # video and audio come as a list
    video.frames, video.spatial = family.cut(network, x, kwargs)


def shift_blocks(network, family: Family, video: Video, undo: ExitStack):
    """Every main block's output carries a ramp on its video tokens."""
    for main in family.mains(network):
        hook = main.block.register_forward_hook(lambda module, args, out, shift=main.shift: shift(out, video))
        undo.callback(hook.remove)


def replace_attention(edit: str, network, family: Family, video: Video, undo: ExitStack):
    """Calls from the main blocks go to a plain attention with the edit, all others where they went before."""
    edited, inside = partial(EDITS[edit], video), []
    callers = [caller for main in family.mains(network) for caller in main.callers]
    if family.module is None:
        for caller in callers:
            undo.callback(setattr, caller, "actual_attention", caller.actual_attention)
            undo.callback(caller.register_forward_pre_hook(lambda own, _: setattr(own, "actual_attention", edited)).remove)
        return
    for caller in callers:
        undo.callback(caller.register_forward_pre_hook(lambda *_: inside.append(True)).remove)
        undo.callback(caller.register_forward_hook(lambda *_: inside.clear()).remove)
    module = importlib.import_module(family.module)
    original = module.optimized_attention

    def attention(*args, **kwargs):
        return (edited if inside else original)(*args, **kwargs)

    undo.enter_context(patch.object(module, "optimized_attention", attention))


def query_gain(video: Video, q, k, v, heads, mask=None, **kwargs):
    return dense(1.5 * q, k, v, heads, mask=mask, **kwargs)


def identity_attention(video: Video, q, k, v, heads, mask=None, skip_reshape=False, skip_output_reshape=False, **kwargs):
    return merged(split(v, heads, skip_reshape), skip_output_reshape)


def frame_bias(video: Video, q, k, v, heads, mask=None, skip_reshape=False, **kwargs):
    bias = video.bias(q.shape[2 if skip_reshape else 1])
    mask = bias if mask is None else bias + over_heads(mask)
    return dense(q, k, v, heads, mask=mask, skip_reshape=skip_reshape, **kwargs)


EDITS: dict[str, Callable] = {
    "QueryGain": query_gain,
    "IdentityAttention": identity_attention,
    "FrameBias": frame_bias,
    "LowRankFrameBias": frame_bias,
}


def dense(q, k, v, heads, mask=None, skip_reshape=False, skip_output_reshape=False, **kwargs):
    """A plain softmax attention, called and answering like the host's."""
    q, k, v = (split(x, heads, skip_reshape) for x in (q, k, v))
    scores = q @ k.mT * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores + over_heads(mask)
    return merged(torch.softmax(scores, -1) @ v, skip_output_reshape)


def over_heads(mask):
    """A mask [Q, K] or [B, Q, K] as one that adds to scores [B, H, Q, K]."""
    return mask[:, None] if mask.ndim == 3 else mask


def split(x, heads, already):
    """[B, L, H*D] -> [B, H, L, D]."""
    return x if already else x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merged(x, leave):
    """[B, H, L, D] -> [B, L, H*D]."""
    return x if leave else x.transpose(1, 2).flatten(2)
