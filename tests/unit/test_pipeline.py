"""The pipeline: order of interventions, rows of a branch, observers last, nothing written in place."""

from dataclasses import dataclass

import pytest
import torch
from events import COND, UNCOND, attention, block, forward

from pack.py.core.events import Site
from pack.py.core.intervention import Intervention, Observer, Where, Window
from pack.py.core.pipeline import Pipeline, active
from pack.py.core.rows import put, take


@dataclass(frozen=True, kw_only=True)
class Affine(Intervention):
    """q -> a q + b before, out -> a out + b after, x -> a x + b on blocks: not commutative, so order shows."""

    a: float = 1.0
    b: float = 0.0

    def before(self, call):
        return call.edit(q=self.a * call.q + self.b)

    def after(self, call, out):
        return self.a * out + self.b

    def block(self, call):
        return call.edit(x=self.a * call.x + self.b)


@dataclass(frozen=True, kw_only=True)
class Biased(Intervention):
    def before(self, call):
        return call.edit(bias=torch.eye(call.q.shape[2]).expand(len(call.rows), 1, -1, -1))


@dataclass(frozen=True, kw_only=True)
class Idle(Intervention):
    def before(self, call):
        return call

    def after(self, call, out):
        return out


@dataclass(frozen=True, kw_only=True)
class Watcher(Observer):
    log: list

    def seen(self, call, edited):
        self.log.append((call, edited))
        return []


def pipeline(*chain, counted=None):
    return Pipeline(
        chain,
        count=lambda i, site, step, acted: None if counted is None else counted.append((i, acted)),
        record=lambda observer, call: None,
    )


def test_without_interventions_the_kernel_gets_the_very_tensors():
    call = attention()
    seen = []
    out = pipeline(Idle()).attention(call.edit(kernel=lambda c: seen.append(c) or c.v))
    assert out is call.v and seen[0].q is call.q and seen[0].bias is None


def test_stacking_order_is_the_order_of_the_chain():
    call = attention()
    out = pipeline(Affine(a=2.0, b=1.0), Affine(a=3.0, b=5.0)).attention(call)
    inner = call.edit(q=3 * (2 * call.q + 1) + 5).attend()
    torch.testing.assert_close(out, 3 * (2 * inner + 1) + 5)


def test_block_outputs_stack_too():
    call = block()
    out = pipeline(Affine(a=2.0, b=1.0), Affine(a=3.0, b=5.0)).block(call)
    torch.testing.assert_close(out.x, 3 * (2 * call.x + 1) + 5)


@pytest.mark.parametrize("branch,touched", [(COND, 1), (UNCOND, 0)])
def test_only_the_rows_of_the_branch_change(branch, touched):
    call = attention(fwd=forward((UNCOND, COND)))
    plain = call.attend()
    out = pipeline(Affine(a=2.0, b=1.0, branch=branch)).attention(call)
    assert torch.equal(out[1 - touched], plain[1 - touched])
    assert not torch.allclose(out[touched], plain[touched])
    whole = pipeline(Affine(a=2.0, b=1.0)).attention(call)
    assert torch.equal(out[touched], whole[touched])


def test_rows_of_a_branch_need_not_be_neighbours():
    call = attention(fwd=forward((COND, UNCOND, COND)))
    out = pipeline(Affine(a=2.0, branch=COND)).attention(call)
    whole = pipeline(Affine(a=2.0)).attention(call)
    assert torch.equal(out[[0, 2]], whole[[0, 2]]) and torch.equal(out[1], call.attend()[1])


def test_a_bias_of_one_branch_leaves_the_other_unbiased():
    call = attention(fwd=forward((COND, UNCOND)))
    out = pipeline(Biased(branch=COND)).attention(call)
    torch.testing.assert_close(out[1], call.attend()[1])
    torch.testing.assert_close(out[0], pipeline(Biased()).attention(call)[0])


def test_a_branch_without_rows_is_left_alone_and_not_counted():
    counted = []
    call = attention(fwd=forward((COND, COND)))
    out = pipeline(Affine(a=2.0, branch=UNCOND), counted=counted).attention(call)
    assert torch.equal(out, call.attend()) and not counted


def test_inputs_are_not_written():
    call = attention()
    copies = [t.clone() for t in (call.q, call.k, call.v)]
    pipeline(Affine(a=2.0, b=1.0, branch=COND), Biased(branch=UNCOND)).attention(call)
    assert all(torch.equal(a, b) for a, b in zip(copies, (call.q, call.k, call.v), strict=True))


def test_observers_see_original_and_final_wherever_they_stand():
    log = []
    call = attention()
    pipeline(Watcher(log=log), Affine(a=2.0)).attention(call)
    ((original, edited),) = log
    assert original is call and torch.equal(edited.q, 2 * call.q)


def test_each_call_is_counted_once_an_intervention():
    counted = []
    affine, idle, watcher = Affine(a=2.0), Idle(), Watcher(log=[])
    pipeline(affine, idle, watcher, counted=counted).attention(attention())
    assert counted == [(affine, True), (idle, False), (watcher, True)], "what changed nothing did not act"


def test_where_and_window_choose():
    where = Where(kinds=frozenset({"self"}), blocks=frozenset({1}))
    assert where.matches(Site(1, 3, "self"))
    assert not where.matches(Site(2, 3, "self")) and not where.matches(Site(1, 3, "cross", "text"))
    early = Affine(window=Window(0.0, 0.1))
    assert active((early, Affine()), forward()) == (Affine(),)


def test_take_and_put_are_inverse():
    x = torch.arange(12.0).reshape(4, 3)
    for rows in ((0, 1), (1, 3), (2,)):
        assert torch.equal(put(x, rows, take(x, rows) + 1)[list(rows)], x[list(rows)] + 1)
        assert torch.equal(put(x, rows, take(x, rows)), x)


@dataclass(frozen=True, kw_only=True)
class Rows(Observer):
    """Keeps which rows it was shown, and how many the tensors have."""

    log: list

    def __hash__(self):
        return id(self)

    def seen(self, call, edited):
        self.log.append((call.rows, len(call.q), len(edited.q)))
        return []

    def block_seen(self, call):
        self.log.append((call.rows, len(call.x)))
        return []


def test_an_observer_of_one_branch_sees_only_its_rows():
    log = []
    watched = pipeline(Rows(log=log, branch=COND))
    watched.attention(attention(fwd=forward((UNCOND, COND, UNCOND, COND))))
    watched.block(block(fwd=forward((UNCOND, COND, UNCOND, COND))))
    assert log == [((1, 3), 2, 2), ((1, 3), 2)]


def test_what_is_computed_once_belongs_to_its_key_and_to_the_very_inputs():
    call, made = attention(), []

    def compute():
        made.append(1)
        return len(made)

    edited = call.edit(v=2 * call.v)
    assert call.once("a", (call.q, None), compute) == edited.once("a", (edited.q, None), compute) == 1
    assert call.once("b", (call.q, None), compute) == 2 and call.once("a", (call.q.clone(), None), compute) == 3
    for number in range(4, 50):  # each copy is gone at once, but for the memory: its id must not come again
        assert call.once("a", (call.q.clone(), None), compute) == number
