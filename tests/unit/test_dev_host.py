"""The host of dev.py: which one is chosen, what its errors say, that one process makes it and the next start resumes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import ROOT, child, host, install, lock, pins
from tools.diagnosis import explain
from tools.errors import ChoreError
from tools.phases import Phase
from tools.pins import Place

PYTHON = Path(sys.executable)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    for name in ("main.py", "comfyui_version.py"):
        touch(tmp_path / "portable" / "ComfyUI" / name)
    return tmp_path / "portable" / "ComfyUI"


class TestChoice:
    def test_without_comfyui_path_the_made_one_in_the_cache_folder(self, tmp_path):
        found = host.locate({"TEMPORAL_ATTENTION_CACHE": str(tmp_path)})
        assert not found.users_own
        assert found.comfyui.parent.parent == tmp_path

    def test_each_python_gives_way_to_the_one_before_it(self, comfyui, tmp_path):
        environ = {"COMFYUI_PATH": str(comfyui)}
        running = tmp_path / "running"
        assert host.users_own(environ, running).python == running

        environ["VIRTUAL_ENV"] = str(tmp_path / "active")
        active = touch(pins.venv_python(tmp_path / "active"))
        assert host.users_own(environ, running).python == active

        embedded = touch(comfyui.parent / "python_embeded" / "python.exe")
        assert host.users_own(environ, running).python == embedded

        for name in (".venv", "venv"):
            inside = touch(pins.venv_python(comfyui / name))
            assert host.users_own(environ, running).python == inside

        environ["COMFYUI_PYTHON"] = str(tmp_path / "chosen")
        assert host.users_own(environ, running).python == tmp_path / "chosen"

    def test_a_folder_that_is_no_comfyui_is_refused(self, tmp_path):
        with pytest.raises(ChoreError, match=r"COMFYUI_PATH.*main\.py"):
            host.locate({"COMFYUI_PATH": str(tmp_path)})

    @pytest.mark.parametrize(
        ("system", "environ", "end"),
        [
            ("Linux", {}, ".cache/temporal-attention"),
            ("Linux", {"XDG_CACHE_HOME": "/x"}, "/x/temporal-attention"),
            ("Darwin", {}, "Library/Caches/temporal-attention"),
            ("Windows", {"LOCALAPPDATA": "/local"}, "/local/temporal-attention"),
            ("Windows", {"TEMPORAL_ATTENTION_CACHE": "/chosen"}, "/chosen"),
        ],
    )
    def test_the_cache_folder_is_where_the_system_keeps_caches(self, system, environ, end):
        assert pins.cache_folder(environ, system).as_posix().endswith(end)

    def test_changed_pins_make_a_new_host(self, monkeypatch):
        before = pins.place({}).folder.name
        monkeypatch.setattr(pins, "TORCH", ("torch==9.9.9",))
        assert pins.place({}).folder.name != before


class TestOwnInstallation:
    def test_what_is_missing_is_named_and_nothing_is_installed(self, comfyui):
        own = host.Host(comfyui, PYTHON, users_own=True)
        with pytest.raises(ChoreError, match=r"no no_such_package\. Nothing is installed .* -m pip install -r"):
            host.require(own, ("json", "no_such_package"))

    def test_a_python_without_torch_is_the_wrong_one(self, comfyui):
        assert "COMFYUI_PYTHON" in host.what_to_do(host.Host(comfyui, PYTHON, users_own=True), ["torch", "pytest"])

    def test_a_python_that_does_not_start(self, tmp_path):
        with pytest.raises(ChoreError, match="COMFYUI_PYTHON"):
            host.unimportable(tmp_path / "nothing", ("json",))


class TestErrors:
    @pytest.mark.parametrize(
        ("output", "told"),
        [
            ("  Expected sha256 aaa\n       Got        bbb\n", "sha256 aaa, but got one with bbb"),
            ("ERROR: Could not install: [Errno 28] No space left on device", "room on the disk"),
            ("WARNING: NewConnectionError\nERROR: No matching distribution found for a==1", "no connection"),
            ("Temporary failure in name resolution", "no connection"),
            ("ERROR: No matching distribution found for torch==2.11.0", "Expected torch==2.11.0 for this system"),
            ("was not created successfully because ensurepip is not\navailable.", "python3-venv"),
            ("something else", "exit code 7"),
        ],
    )
    def test_the_log_of_a_failed_phase_becomes_one_line(self, output, told):
        line = str(explain(f"Looking in indexes: https://index.example/simple\n{output}", "PyTorch", 7, Path("setup.log")))
        assert told in line
        assert "\n" not in line and "index.example" not in line

    @pytest.mark.parametrize("version", [(3, 9), (3, 15)])
    def test_python_must_be_one_that_pytorch_is_built_for(self, version):
        with pytest.raises(ChoreError, match=r"Python 3\.10 to 3\.14 .* but got Python 3\."):
            install.check_python(version)

    def test_the_disk_must_have_room(self):
        with pytest.raises(ChoreError, match=r"9\.3 GB of free disk space .* but got 2\.0 GB"):
            install.check_space(9.3, 2.0, Path("cache/host"))


def holder(path: Path) -> subprocess.Popen:
    """Another process that holds the lock until it is killed."""
    code = "import sys, time; from pathlib import Path; from tools import lock\n"
    code += "with lock.held(Path(sys.argv[1]), print): print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


class TestLock:
    def test_waits_and_says_so_until_the_owner_is_dead(self, tmp_path):
        other = holder(tmp_path / "lock")
        waited = []

        def kill_owner(seconds: float) -> None:
            waited.append(seconds)
            other.kill()

        with lock.held(tmp_path / "lock", kill_owner, poll=0.05):
            assert len(waited) == 1
        other.communicate()

    def test_a_free_lock_is_taken_at_once(self, tmp_path):
        for _ in range(2):
            with lock.held(tmp_path / "lock", lambda seconds: pytest.fail("waited")):
                pass


def test_a_leashed_process_ends_with_the_one_that_started_it(tmp_path):
    script = tmp_path / "sleeper.py"
    script.write_text("import sys, time; print('up', sys.argv[1:], flush=True); time.sleep(60)")
    code = "import subprocess, sys; from pathlib import Path; from tools import child\n"
    code += "subprocess.run(child.leashed(Path(sys.executable), sys.argv[1], 'a b'))"
    starter = subprocess.Popen([sys.executable, "-c", code, str(script)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout.readline() == "up ['a b']\n"
    starter.kill()
    started = time.monotonic()
    starter.communicate()  # returns when nobody holds the pipe any more
    assert time.monotonic() - started < 10


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "cache" / "host")


@pytest.fixture
def phases(place, monkeypatch) -> list[str]:
    """Three phases without downloads; returns the names of those that ran. The third fails if there is a file `bad`."""
    ran: list[str] = []
    fails_if_bad = "import pathlib, sys; sys.exit(pathlib.Path(sys.argv[1]).exists())"

    def phase(name: str) -> Phase:
        def command(place: Place) -> list[str]:
            ran.append(name)
            touch(place.python)
            return [sys.executable, "-c", fails_if_bad, str(place.folder / "bad") if name == "third" else "nowhere"]

        return Phase(name, 0.0, command)

    monkeypatch.setattr(install, "PHASES", tuple(map(phase, ("first", "second", "third"))))
    return ran


class TestResume:
    def test_a_finished_host_is_not_made_twice(self, place, phases):
        install.ensure(place)
        install.ensure(place)
        assert phases == ["first", "second", "third"]

    def test_the_next_start_goes_on_after_the_finished_phases(self, place, phases, capsys):
        bad = touch(place.folder / "bad")
        with pytest.raises(ChoreError, match="'third' to succeed"):
            install.ensure(place)
        assert json.loads(place.finished.read_text()) == ["first", "second"]
        bad.unlink()
        install.ensure(place)
        assert phases == ["first", "second", "third", "third"]
        assert "1 of 3 phases are left" in capsys.readouterr().out

    def test_without_the_python_it_was_made_from_it_is_made_anew(self, place, phases):
        install.ensure(place)
        place.python.unlink()
        bad = touch(place.folder / "bad")
        with pytest.raises(ChoreError):
            install.ensure(place)
        bad.unlink()
        install.ensure(place)
        assert phases == ["first", "second", "third"] * 2 + ["third"]

    def test_a_cache_folder_that_cannot_be_written(self, tmp_path, phases):
        with pytest.raises(ChoreError, match="TEMPORAL_ATTENTION_CACHE"):
            install.ensure(Place(touch(tmp_path / "file") / "host"))


def test_output_of_a_quiet_child_goes_to_the_log(tmp_path):
    beats: list[float] = []
    command = [sys.executable, "-c", "import time; print('hello'); time.sleep(0.5); raise SystemExit(3)"]
    assert child.into_log(command, tmp_path / "log", os.environ, beats.append, every=0.2) == 3
    assert (tmp_path / "log").read_text() == "hello\n" and beats
