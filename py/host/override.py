"""The host's single attention slot, shared: whoever else set it, before or after us, is called inside our override."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .kernel import HostCall

SLOT = "optimized_attention_override"
ABSENT = object()


class AttentionSlot:
    """Our override of one network call.

    Args:
        attention: HostCall -> output, or None to leave the call to the others.
        plain: the function that attends without the others; None = the one that the host calls.
    """

    def __init__(self, attention: Callable[[HostCall], Tensor | None], plain: Callable[..., Tensor] | None = None):
        self._attention, self._plain = attention, plain
        self._others = ABSENT
        self._inside = False
        self._installed: dict[int, tuple[dict, object]] = {}

    def install(self, options: dict) -> None:
        """Puts our override into `options`; what stands there is read anew each time and runs inside ours."""
        current = options.get(SLOT, ABSENT)
        if current != self._override:
            self._installed[id(options)] = (options, current)
            options[SLOT] = self._override
        _, self._others = self._installed.get(id(options), (options, self._others))

    def restore(self) -> None:
        """Gives every dictionary back what it held."""
        for options, others in self._installed.values():
            if others is ABSENT:
                options.pop(SLOT, None)
            else:
                options[SLOT] = others
        self._installed.clear()

    def _override(self, func: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        if self._inside:
            return self._predecessor(func)(*args, **kwargs)
        kernel = func if self._others is ABSENT else self._chained(func)
        out = self._attention(HostCall.parse(kernel, self._plain or func, args, kwargs))
        return kernel(*args, **kwargs) if out is None else out

    def _predecessor(self, func: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """What an override wants that kept ours as its predecessor and is called by us: whoever ours displaced first."""
        _, first = next(iter(self._installed.values()))
        if first is ABSENT or first is self._others:
            return func
        return lambda *args, **kwargs: first(func, *args, **kwargs)

    def _chained(self, func: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def others(*args, **kwargs) -> Tensor:
            self._inside = True
            try:
                return self._others(func, *args, **kwargs)
            finally:
                self._inside = False

        return others
