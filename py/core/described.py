"""The settings of a technique as one line of text, the same in every session."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from torch import Tensor


def described(value: object) -> str:
    """As repr, but sets are in order and tensors are their shapes."""
    if isinstance(value, frozenset):
        return f"{{{', '.join(map(described, sorted(value)))}}}"
    if isinstance(value, Tensor):
        return f"Tensor{list(value.shape)}"
    if isinstance(value, tuple):
        return f"({', '.join(map(described, value))})"
    if not is_dataclass(value):
        return repr(value)
    shown = [f"{field.name}={described(getattr(value, field.name))}" for field in fields(value) if field.repr]
    return f"{type(value).__name__}({', '.join(shown)})"
