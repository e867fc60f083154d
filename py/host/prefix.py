"""The first blocks of a network once for several calls: what they return is kept, and handed out instead of running them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from torch import Tensor, nn

from ..core.events import Forward
from .families import BlockSites
from .tokens import Output

Blocks = tuple[BlockSites, ...]
Kept = dict[nn.Module, object]  # the last block of each kind of output, and what it returned


class Prefixes:
    """What the first blocks returned, by their number and conditioning, for the length of one prediction."""

    def __init__(self):
        self._kept: dict[tuple[int, object], Kept] = {}

    def clear(self) -> None:
        """Forgets everything: the prediction is over."""
        self._kept.clear()

    def keep(self, blocks: Blocks, forward: Forward, rows: tuple[int, ...]) -> list:
        """Hooks that keep what these first blocks return for some batch rows; they are the caller's to remove."""
        owned = {key: tuple(row for row in rows if forward.conditionings[row] == key) for key in forward.conditionings}
        kept = {key: self._kept.setdefault((len(blocks), key), {}) for key, own in owned.items() if own}

        def keeping(output: Output):
            def hook(module: nn.Module, args: tuple, out: object) -> None:
                for key in kept:
                    kept[key][module] = clone(output.rows(out, owned[key]))

            return hook

        return [group[-1].module.register_forward_hook(keeping(group[-1].output)) for group in _by_output(blocks)]

    def resume(self, blocks: Blocks, forward: Forward, undo: ExitStack) -> bool:
        """Lets these first blocks return what was kept, until `undo` closes; False where nothing was kept for the call.

        On several GPUs the call may run on another copy of the network than the one that was kept from.
        """
        keys, groups = set(forward.conditionings), _by_output(blocks)
        kept = self._kept.get((len(blocks), *keys), {}) if len(keys) == 1 else {}
        if not all(group[-1].module in kept for group in groups):
            return False
        for *others, last in groups:
            discarded = clone(kept[last.module])
            for block in others:
                _replace_forward(block.module, lambda *args, out=discarded, **kwargs: out, undo)
            # a copy: the network may write into what it goes on with
            _replace_forward(last.module, lambda *args, out=kept[last.module], **kwargs: clone(out), undo)
        return True


def _by_output(blocks: Blocks) -> list[list[BlockSites]]:
    """The blocks grouped by the kind of their output."""
    groups: dict[int, list[BlockSites]] = {}
    for block in blocks:
        groups.setdefault(id(block.output), []).append(block)
    return list(groups.values())


def _replace_forward(module: nn.Module, forward: Callable, undo: ExitStack) -> None:
    if "forward" in vars(module):  # another pack replaced it too
        undo.callback(setattr, module, "forward", module.forward)
    else:
        undo.callback(delattr, module, "forward")
    module.forward = forward


def clone(out: object) -> object:
    """A copy of a tensor, or of a tuple of tensors."""
    return out.clone() if isinstance(out, Tensor) else type(out)(map(clone, out))
