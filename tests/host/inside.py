"""Switching a test's mode on only while the network is inside one of its blocks."""

from contextlib import contextmanager

from pack.py.host.families import adapter_of, network_of


@contextmanager
def only_inside_blocks(model, mode):
    """Sets `mode.inside` on entry to each block and clears it on exit; `mode` is active meanwhile."""
    blocks = [block.module for block in adapter_of(model).blocks(network_of(model))]
    handles = [block.register_forward_pre_hook(lambda *_: setattr(mode, "inside", True)) for block in blocks]
    handles += [block.register_forward_hook(lambda *_: setattr(mode, "inside", False)) for block in blocks]
    try:
        with mode:
            yield
    finally:
        for handle in handles:
            handle.remove()
