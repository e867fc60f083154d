"""Side effects of Spectral Transport Homeostasis: it notes what it did, writes no input, and waits for no device."""

import numpy as np
import pytest
import reference
import torch
from events import measured
from reference import double
from sth_calls import GRIDS, TOLERANCE, attention, every_estimator, flat, notes, per_call_and_per_head, per_token, tau_eff
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from pack.py.core.events import Site
from pack.py.techniques.sth import SpectralTransportHomeostasis


@per_call_and_per_head
def test_notes_hold_what_was_applied(per_head):
    sth = SpectralTransportHomeostasis(tau=0.9, per_head=per_head)
    call = attention()
    edited = sth.before(call)
    said = notes(edited)
    assert said["gamma"].shape == ((4, 3) if per_head else (4,))
    assert_close(edited.q, call.q * per_token(said["gamma"], call.q), atol=0, rtol=TOLERANCE)
    wanted = reference.gamma(measured(call, sth.estimator), tau_eff(sth, call), per_head)
    assert np.abs(double(said["gamma"]) - wanted).max() < TOLERANCE
    assert np.abs(double(said["tau_eff"]).reshape(4, -1) - tau_eff(sth, call)).max() < 1e-6
    assert all(note.rows == call.rows for note in edited.notes)
    assert edited.notes is call.notes


def test_rows_of_one_branch_are_noted_as_such():
    sth = flat(tau=0.9)
    call = attention()
    part = call.edit(q=call.q[2:], k=call.k[2:], v=call.v[2:], rows=(2, 3))
    edited = sth.before(part)
    assert all(note.rows == (2, 3) and len(note.value) == 2 for note in edited.notes)
    wanted = reference.gamma(measured(call, sth.estimator), 0.9, False)[2:]
    assert np.abs(double(notes(edited)["gamma"]) - wanted).max() < TOLERANCE


def test_where_nothing_is_done_gamma_is_noted_as_one():
    call = attention(site=Site(0, 4, "self"))
    SpectralTransportHomeostasis(tau=2.0).before(call)
    said = notes(call)
    assert torch.equal(said["gamma"], torch.ones(4)) and torch.equal(said["tau_eff"], torch.zeros(4))


@pytest.mark.parametrize("rule", ("query temperature", "output gain"))
@every_estimator
def test_inputs_are_not_written(rule, estimator):
    sth = flat(tau=0.7, rule=rule, estimator=estimator)
    call = attention(GRIDS["tokens on both sides"])
    out = call.attend()
    kept = [x.clone() for x in (call.q, call.k, call.v, out)]
    sth.after(sth.before(call), out)
    assert all(torch.equal(x, y) for x, y in zip((call.q, call.k, call.v, out), kept, strict=True))


class Operations(TorchDispatchMode):
    """Records the names of all operations."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("rule", ("query temperature", "output gain"))
@per_call_and_per_head
@every_estimator
def test_nothing_waits_for_the_device(rule, per_head, estimator):
    """No value is read, and nothing is asked for whose size or error flag a GPU would have to report."""
    sth = flat(tau=0.7, rule=rule, per_head=per_head, estimator=estimator)
    call = attention(GRIDS["text after"])
    with Operations() as seen:
        edited = sth.before(call)
        sth.after(edited, edited.v)
    waits = {"_local_scalar_dense", "nonzero", "masked_select", "_linalg_check_errors", "_linalg_eigh", "equal", "is_nonzero"}
    assert "mul" in seen.names and not seen.names & waits
