"""The run store: a run is found by the latent it returned; bounded in number and size."""

import numpy as np
import torch
from events import COND, STEP

from pack.py.core.events import Site
from pack.py.core.store import RunStore, fingerprint
from pack.py.core.trace import Record, Trace


def latent(seed):
    return torch.randn(1, 4, 3, 2, 2, generator=torch.Generator().manual_seed(seed))


def trace(floats=1):
    values = {"x": np.zeros(floats, np.float32)}
    return Trace("Tiny", 1, [Record(STEP, Site(0, 1, "self"), COND, 0, None, values)])


def test_a_run_is_found_by_its_latent_whatever_ran_after():
    store, first, second = RunStore(), trace(), trace()
    store.put(latent(1), "recorder", first)
    store.put(latent(2), "recorder", second)
    assert store.find(latent(1), "recorder").trace is first and store.find(latent(1), "recorder").exact
    assert store.find(latent(2), "recorder").trace is second


def test_an_unknown_latent_gets_the_newest_run_and_says_so():
    store, newest = RunStore(), trace()
    store.put(latent(1), "recorder", trace())
    store.put(latent(2), "recorder", newest)
    store.put(latent(3), "another recorder", trace())
    found = store.find(latent(9), "recorder")
    assert found.trace is newest and not found.exact


def test_runs_move_to_the_latent_that_was_made_of_theirs():
    store, (one, other, third) = RunStore(), (trace() for _ in range(3))
    for seed, recorder, run in ((1, "recorder", one), (1, "another recorder", other), (2, "recorder", third)):
        store.put(latent(seed), recorder, run)
    store.move(latent(1), latent(3))
    store.move(latent(7), latent(8))
    assert store.find(latent(3), "recorder").trace is one and store.find(latent(3), "another recorder").trace is other
    assert store.find(latent(2), "recorder").trace is third and not store.find(latent(1), "recorder").exact
    assert not store.find(latent(8), "recorder").exact


def test_nothing_is_found_for_a_recorder_without_runs():
    store = RunStore()
    store.put(latent(1), "another", trace())
    assert store.find(latent(1), "recorder") is None


def test_the_oldest_runs_go_first():
    store = RunStore(most_runs=2)
    for seed in range(3):
        store.put(latent(seed), "recorder", trace())
    assert not store.find(latent(0), "recorder").exact
    assert store.find(latent(1), "recorder").exact and store.find(latent(2), "recorder").exact


def test_the_size_is_bounded_but_the_newest_run_stays():
    store = RunStore(most_bytes=100)
    store.put(latent(0), "recorder", trace(10))
    store.put(latent(1), "recorder", trace(1000))
    assert store.find(latent(1), "recorder").exact and not store.find(latent(0), "recorder").exact


def test_fingerprints_survive_the_host_s_cast_and_tell_latents_apart():
    x = latent(1)
    assert fingerprint(x) == fingerprint(x.half()) == fingerprint(x.transpose(3, 4).contiguous().transpose(3, 4))
    assert fingerprint(x) != fingerprint(latent(2))
    assert fingerprint(x) != fingerprint(x.reshape(1, 4, 3, 4, 1))
