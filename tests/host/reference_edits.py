"""The tests' own edits of a network: its attention function replaced in the module's namespace, without any of the pack.

The host's models import `optimized_attention` by name, so replacing that name edits every call of one model file.
"""

import sys
from contextlib import contextmanager

import torch


def dense(q, k, v, heads, gain=1.0, bias=None, identity=False):
    """A plain softmax attention on [B, L, H*D]."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    if identity:
        return v.transpose(1, 2).flatten(2)
    scores = gain * q @ k.mT * q.shape[-1] ** -0.5
    return (torch.softmax(scores if bias is None else scores + bias, -1) @ v).transpose(1, 2).flatten(2)


def add_ramp(module, args, out):
    return out + torch.linspace(0, 1, out.shape[-1])


@contextmanager
def edited_attention(network, edit):
    """Within it, the network's self-attention (or its block outputs) carry one edit made by hand."""
    if edit == "BlockShift":
        handles = [block.register_forward_hook(add_ramp) for block in network.blocks]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        return
    module = sys.modules[type(network.blocks[0].self_attn).__module__]
    original = module.optimized_attention
    layout = Layout(network)

    def attention(q, k, v, heads, **kwargs):
        if q.shape[1] != k.shape[1]:
            return original(q, k, v, heads=heads, **kwargs)
        if not layout.is_main_block:
            return original(q, k, v, heads=heads, **kwargs)
        bias = layout.bias(q.shape[1]) if edit == "FrameBias" else None
        return dense(q, k, v, heads, gain=1.5 if edit == "QueryGain" else 1.0, bias=bias, identity=edit == "IdentityAttention")

    module.optimized_attention = attention
    try:
        with layout:
            yield
    finally:
        module.optimized_attention = original


class Layout:
    """Where the video is in a sequence of the tiny Wan networks (3 frames of 4 x 4 tokens), told by the network's class."""

    frames, spatial = 3, 16

    def __init__(self, network):
        self.network = network
        self.is_main_block = True
        self.handles = []

    def __enter__(self):
        for block in getattr(self.network, "vace_blocks", ()):
            self.handles.append(block.register_forward_pre_hook(lambda *_: setattr(self, "is_main_block", False)))
            self.handles.append(block.register_forward_hook(lambda *_: setattr(self, "is_main_block", True)))

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()

    def bias(self, tokens):
        start = tokens - self.frames * self.spatial if self.network.ref_conv is not None else 0
        bias = torch.zeros(tokens, tokens)
        for i in range(self.frames):
            for j in range(self.frames):
                rows = slice(start + i * self.spatial, start + (i + 1) * self.spatial)
                columns = slice(start + j * self.spatial, start + (j + 1) * self.spatial)
                bias[rows, columns] = -0.5 * abs(i - j)
        return bias
