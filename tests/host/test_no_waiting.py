"""No technique makes the host wait for a GPU inside the blocks: seen on the CPU by the operations that would."""

import pytest
import torch
from families import sample, tiny_networks
from found import strong, techniques
from inside import only_inside_blocks
from torch.overrides import TorchFunctionMode, resolve_name

from pack.py.core.intervention import Intervention
from pack.py.host.attach import attach
from pack.py.techniques.estimator import NAMES, Estimator

WAITING = {
    *(f"torch.Tensor.{name}" for name in ("item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__")),
    *(f"torch.{name}" for name in ("equal", "allclose", "unique", "nonzero", "masked_select", "argwhere")),
    *(f"torch.linalg.{name}" for name in ("eigh", "eigvalsh", "svd", "svdvals", "cholesky", "inv", "solve")),
}


class Waits(TorchFunctionMode):
    """Collects, while `inside`, the calls after which the host must wait for the device."""

    def __init__(self):
        super().__init__()
        self.inside, self.found = False, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = resolve_name(func) or ""
        if self.inside and (name in WAITING or name.replace("torch.Tensor.", "torch.") in WAITING):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


class Nosy(Intervention):
    def before(self, call):
        return call if call.q.abs().max() > 0 else call.edit(q=call.k)


def waits(technique):
    tiny = tiny_networks()["wan_t2v"]
    with torch.inference_mode():
        model, mode = tiny.load(), Waits()
        with only_inside_blocks(model, mode):
            sample(tiny, attach(model, technique), steps=2)
    return mode.found


@pytest.mark.parametrize("estimator", NAMES)
@pytest.mark.parametrize("technique", techniques(), ids=lambda t: t.__name__)
def test_nothing_waits_inside_the_blocks(technique, estimator):
    settings = {"estimator": Estimator(estimator, rows=2)} if "estimator" in technique.__dataclass_fields__ else {}
    assert waits(strong(technique, **settings)) == []


def test_the_check_would_find_a_wait():
    assert "torch.Tensor.__bool__" in waits(Nosy())
