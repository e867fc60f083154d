"""Switching a test's mode on only while the network is inside one of its blocks."""

from contextlib import contextmanager

from pack.py.core.intervention import Where
from pack.py.host.families import blocks_of


def attentions_over_the_video(model) -> int:
    """On how many attentions techniques act by default: one a block, in most families."""
    return sum(Where().matches(site) for block in blocks_of(model) for site in block.sites)


@contextmanager
def only_inside_blocks(model, mode):
    """Sets `mode.inside` on entry to each block and clears it on exit; `mode` is active meanwhile."""
    blocks = [block.module for block in blocks_of(model)]
    handles = [block.register_forward_pre_hook(lambda *_: setattr(mode, "inside", True)) for block in blocks]
    handles += [block.register_forward_hook(lambda *_: setattr(mode, "inside", False)) for block in blocks]
    try:
        with mode:
            yield
    finally:
        for handle in handles:
            handle.remove()
