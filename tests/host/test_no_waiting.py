"""No technique makes the host wait for a GPU inside the blocks: seen on the CPU by the operations that would."""

import pytest
import torch
from families import sample, tiny_networks
from found import strong, techniques
from inside import only_inside_blocks
from synopses import synopsis
from torch.overrides import TorchFunctionMode, resolve_name

from pack.py.core.intervention import Intervention
from pack.py.host.attach import attach
from pack.py.techniques.entropy_edit import EntropyEdit
from pack.py.techniques.entropy_guidance import RULES, EntropyGuidance
from pack.py.techniques.estimator import NAMES, Estimator
from pack.py.techniques.perturbation import IDENTITY, UNIFORM, AttentionPerturbation
from pack.py.techniques.tar import SCALES, TemporalAttentionRegularization
from pack.py.techniques.vsp import VideoSynopsisPrompting

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


def waits(*chain, **options):
    """What the host would wait for inside the blocks of a run."""
    tiny = tiny_networks()["wan_t2v"]
    with torch.inference_mode():
        model, mode = tiny.load(), Waits()
        with only_inside_blocks(model, mode):
            sample(tiny, attach(model, *chain), steps=2, **options)
    return mode.found


@pytest.mark.parametrize("estimator", NAMES)
@pytest.mark.parametrize("technique", techniques(), ids=lambda t: t.__name__)
def test_nothing_waits_inside_the_blocks(technique, estimator):
    settings = {"estimator": Estimator(estimator, rows=2)} if "estimator" in technique.__dataclass_fields__ else {}
    assert waits(strong(technique, **settings)) == []


def test_nor_where_frames_read_their_own_texts(tiny):
    assert waits(VideoSynopsisPrompting(transition=1.0), positive=synopsis(tiny, [1, 5])) == []


def test_nor_in_an_edit(caplog):
    """Rows 0 and 1 are a pair; the first step measures."""
    caplog.set_level("INFO", logger="temporal_attention")
    assert waits(EntropyEdit(), batch=2) == [] and "takes the source's patterns" in caplog.text


@pytest.mark.parametrize("rule", RULES)
def test_nor_in_extra_predictions(rule):
    assert waits(EntropyGuidance(block=1, rule=rule)) == []


@pytest.mark.parametrize("alpha", [UNIFORM, 0.5, IDENTITY])
def test_nor_with_a_perturbed_pattern(alpha):
    assert waits(AttentionPerturbation(alpha=alpha)) == []


@pytest.mark.parametrize("scale", SCALES)
def test_nor_with_any_scale_of_a_band(scale):
    assert waits(TemporalAttentionRegularization(scale=scale)) == []


def test_nor_with_all_techniques_in_one_run(tiny):
    assert waits(*map(strong, techniques()), positive=synopsis(tiny, [1, 5]), batch=2) == []


def test_the_check_would_find_a_wait():
    assert "torch.Tensor.__bool__" in waits(Nosy())
