"""What the network is given besides the latent, made fit for a pass with gradients."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.utils._pytree import tree_map


def constant(conds: list[dict]) -> list[dict]:
    """The conditionings with ControlNets that see the latent but pass no gradient to it: they are networks of their own."""
    return [{**cond, "control": _constant(cond["control"])} if "control" in cond else cond for cond in conds]


def _constant(control):
    """A copy of a ControlNet whose output is a constant."""
    held = copy.copy(control)

    def get_control(x: Tensor, *args):
        with torch.no_grad():
            return control.get_control(x.detach(), *args)

    held.get_control = get_control
    return held


def saveable(arguments: tuple | dict) -> tuple | dict:
    """The same with copies of inference tensors, also of those in plain objects: autograd must not save the originals."""
    return tree_map(_copied, arguments)


def _copied(leaf: object) -> object:
    if _is_inference(leaf):
        return leaf.clone()
    inside = {name: value.clone() for name, value in getattr(leaf, "__dict__", {}).items() if _is_inference(value)}
    if not inside:
        return leaf
    leaf = copy.copy(leaf)
    vars(leaf).update(inside)
    return leaf


def _is_inference(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_inference()
