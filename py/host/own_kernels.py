"""Attention modules that keep a kernel of their own in an attribute, and so never ask the host's slot."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .kernel import HostCall


class OwnKernels:
    """Ours in the place of the modules' kernels, for one network call.

    Args:
        attribute: where the modules of this family keep their kernel; "" for a family whose modules have none.
        attention: HostCall -> output, or None to leave the call to the module's kernel.
    """

    def __init__(self, attribute: str, attention: Callable[[HostCall], Tensor | None]):
        self._attribute, self._attention = attribute, attention
        self._installed: list[tuple[nn.Module, Callable[..., Tensor], Callable[..., Tensor]]] = []

    def install(self, module: nn.Module) -> None:
        """Puts ours around the module's kernel, if it has one."""
        if not self._attribute or not hasattr(module, self._attribute):
            return
        kernel = getattr(module, self._attribute)

        def ours(*args, **kwargs) -> Tensor:
            out = self._attention(HostCall.parse(kernel, kernel, args, kwargs))
            return kernel(*args, **kwargs) if out is None else out

        setattr(module, self._attribute, ours)
        self._installed.append((module, kernel, ours))

    def restore(self) -> int:
        """Gives every module its kernel back; the number of those that took another one meanwhile, which they keep."""
        changed = 0
        for module, kernel, ours in reversed(self._installed):
            if getattr(module, self._attribute) is ours:
                setattr(module, self._attribute, kernel)
            else:
                changed += 1
        self._installed.clear()
        return changed
