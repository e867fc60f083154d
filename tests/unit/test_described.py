"""Settings as text: whole, and the same whatever the order of a set."""

from dataclasses import dataclass, field

import torch

from pack.py.core.described import described
from pack.py.core.intervention import Intervention, Where, Window


@dataclass(frozen=True, kw_only=True)
class Sharpen(Intervention):
    gain: float = 1.5
    text: torch.Tensor = field(default_factory=lambda: torch.zeros(2, 3))
    secret: object = field(default=None, repr=False)


def test_all_settings_are_named_and_sets_are_in_order():
    technique = Sharpen(window=Window(0.0, 0.5), where=Where(frozenset({"self", "cross", "joint"}), frozenset({11, 2})))
    assert described(technique) == (
        "Sharpen(window=Window(start=0.0, end=0.5), where=Where(kinds={'cross', 'joint', 'self'}, blocks={2, 11}), branch=None, "
        "gain=1.5, text=Tensor[2, 3])"
    )
