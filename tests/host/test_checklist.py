"""The checklist can fail: a point that misses, breaks or cannot be checked says so, and its patterns find what they are for."""

from pathlib import Path

import pytest

from tools.checklist.__main__ import FAIL, NOT_HERE, PASS, judged
from tools.checklist.examples import LOADERS
from tools.checklist.package import FORBIDDEN
from tools.checklist.point import POINTS, Missed, NotHere, Point, expect, expect_none
from tools.checklist.served import BAD_NEWS


def test_all_thirty_points_are_there_once():
    assert sorted(point.number for point in POINTS) == list(range(1, 31))


@pytest.mark.parametrize(
    "found,state,said",
    [
        ("evidence", PASS, "evidence"),
        (Missed("three nodes"), FAIL, "three nodes"),
        (NotHere("no browser"), NOT_HERE, "no browser"),
        (KeyError("TA_Gone"), FAIL, "KeyError: 'TA_Gone' (test_checklist.py"),
    ],
)
def test_what_a_check_does_decides(found, state, said):
    def check(bench):
        if isinstance(found, Exception):
            raise found
        return found

    judgement, evidence = judged(Point(1, "a point", check), bench=None)
    assert judgement == state and evidence.startswith(said)


def test_expectations():
    expect_none([], "nodes")
    expect(True, "it holds")
    with pytest.raises(Missed, match="2 nodes: a; b"):
        expect_none(iter("ab"), "nodes")
    with pytest.raises(Missed, match="and 4 more"):
        expect_none("abcdefghij", "nodes")


@pytest.mark.parametrize("line", ["import subprocess", "os.system('x')", "eval('1')", " exec(code)", "torch.load(path)"])
def test_dangerous_lines_are_found(line):
    assert FORBIDDEN.search(line)


@pytest.mark.parametrize("line", ["model.eval()", "self.executed(1)", "# the executor"])
def test_harmless_lines_are_not(line):
    assert not FORBIDDEN.search(line)


def test_bad_news_in_a_log_is_found():
    folder = Path(__file__).resolve().parents[2].name
    assert BAD_NEWS.search(f"Cannot import /x/{folder} module for custom nodes: No module named 'y'")
    assert BAD_NEWS.search(f"[WARNING] {folder}: deprecated")
    assert not BAD_NEWS.search(f"   0.1 seconds: /x/{folder}")


def test_loaders_of_the_examples_are_known():
    from tools.examples import recipes

    used = {recipe.prompt[id]["class_type"] for recipe in recipes() for id in recipe.models}
    assert used <= set(LOADERS)
