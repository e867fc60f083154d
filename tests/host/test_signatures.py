"""Nothing that saved workflows rely on changes by accident: the nodes are those of node_signatures.json."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.signatures import released, signature, signatures  # noqa: E402

RELEASED, NOW = released(), signatures()
ACCEPT = "Workflows that users have saved rely on it. Undo it, or, if it is wanted and in CHANGELOG.md: python dev.py signatures"


def test_no_node_goes_away():
    assert not RELEASED.keys() - NOW.keys(), f"Nodes are gone: deprecate them first. {ACCEPT}"


def test_every_node_is_in_the_file():
    assert not NOW.keys() - RELEASED.keys(), "New nodes are not held yet: python dev.py signatures"


@pytest.mark.parametrize("id", sorted(RELEASED.keys() & NOW.keys()))
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_inputs_and_outputs_are_as_released(id, side):
    assert NOW[id][side] == RELEASED[id][side], f"The {side} of {id} have changed. {ACCEPT}"


def test_a_signature_holds_order_types_defaults_and_options():
    info = {
        "input": {"required": {"model": ("MODEL", {}), "kind": ("COMBO", {"default": "b", "options": ["a", "b"]})}},
        "output": ["MODEL"],
        "output_name": ["model"],
    }
    assert signature(info) == {
        "inputs": [["model", "required", "MODEL", None, None], ["kind", "required", "COMBO", "b", ["a", "b"]]],
        "outputs": [["model", "MODEL"]],
    }
