"""What the experiments read off a clip, on paths with known answers."""

import math

import pytest
import torch

from tools.evidence.seen import DRIFT, displacement, largest_jump, path_length, shared_paths

NOWHERE = (math.nan, math.nan)


def path_of(*places):
    return torch.tensor(places, dtype=torch.float64)


def test_a_thing_that_comes_back_elsewhere_has_jumped_and_one_that_went_on_has_not():
    assert largest_jump(path_of((0, 0), (1, 0), NOWHERE, NOWHERE, (21, 0))) == pytest.approx(20 - 2 * DRIFT)
    assert largest_jump(path_of((0, 0), NOWHERE, NOWHERE, (3 * DRIFT, 0))) == pytest.approx(DRIFT)
    assert largest_jump(path_of((0, 0), (3, 4), (3, 5))) == pytest.approx(5)


@pytest.mark.parametrize("places", [[NOWHERE, NOWHERE], [(1, 1), NOWHERE]])
def test_fewer_than_two_frames_with_a_thing_have_no_way(places):
    path = path_of(*places)
    assert all(math.isnan(measure(path)) for measure in (largest_jump, displacement, path_length))


def test_shared_paths_keep_the_frames_that_both_show():
    first, second = path_of((0, 0), (2, 0), NOWHERE, (9, 0)), path_of(NOWHERE, (1, 0), (5, 0), (6, 0))
    one, other = shared_paths(first, second)
    assert one.isfinite().all(-1).tolist() == other.isfinite().all(-1).tolist() == [False, True, False, True]
    assert (displacement(one), displacement(other)) == (7.0, 5.0)
