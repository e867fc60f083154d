"""`dev.py test`: which parts run, what is left out, and when it fails."""

import pytest

from tools import browser, script_tests, suite
from tools.errors import ChoreError


@pytest.fixture
def parts(monkeypatch):
    """The names of the parts that ran with their arguments, instead of running them; those in `failing` fail."""
    ran, failing = [], set()

    def part(host, name, arguments):
        ran.append((name, *arguments))
        return int(name in failing), 0.0

    monkeypatch.setattr(suite, "part", part)
    return ran, failing


def with_browser(monkeypatch, *missing):
    monkeypatch.setattr(browser, "missing", lambda environ=None: list(missing))
    monkeypatch.setattr(script_tests, "missing", lambda: [name for name in missing if name == "Node.js"])


def test_a_missing_browser_is_named_and_is_no_failure(parts, monkeypatch, capsys):
    with_browser(monkeypatch, "Chromium")
    assert suite.run(None, None, ()) == 0
    assert "browser" not in [name for name, *_ in parts[0]]
    assert "browser: not run: no Chromium here" in capsys.readouterr().out


def test_without_node_no_script_is_run(parts, monkeypatch, capsys):
    with_browser(monkeypatch, "Node.js")
    assert suite.run(None, None, ()) == 0
    assert [name for name, *_ in parts[0]] == ["lint", "unit", "host"]
    assert "scripts: not run: no Node.js here" in capsys.readouterr().out


def test_all_parts_run_and_one_that_fails_stops_no_other(parts, monkeypatch):
    with_browser(monkeypatch)
    parts[1].add("unit")
    assert suite.run(None, None, ("-x",)) == 1
    assert [name for name, *_ in parts[0]] == list(suite.PARTS)
    assert ("unit", "-x") in parts[0] and ("lint",) in parts[0] and ("browser",) in parts[0]


def test_a_part_that_is_asked_for_runs_alone_with_its_arguments(parts, monkeypatch):
    with_browser(monkeypatch, "Chromium")
    suite.run(None, "browser", ("--test-name-pattern=live",))
    assert parts[0] == [("browser", "--test-name-pattern=live")]


def test_it_says_how_to_install_the_browser(monkeypatch):
    with_browser(monkeypatch, "Node.js", "playwright-core")
    with pytest.raises(ChoreError, match=r"no Node\.js, playwright-core.*npm install .*playwright-core@\d"):
        browser.environment({})
