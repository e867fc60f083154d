"""Runs a Python script (`leash.py PID FILE ...`) or module (`leash.py PID -m NAME ...`) that ends when process PID does.

Killed processes leave their children behind: a pip that still writes, a server that still holds its port. These end too.
"""

import os
import runpy
import sys
import threading
import time
from pathlib import Path


def _wait_for_end(pid: int) -> None:
    if os.name == "nt":
        import _winapi

        synchronize = 0x00100000
        _winapi.WaitForSingleObject(_winapi.OpenProcess(synchronize, False, pid), _winapi.INFINITE)
    else:
        parent = os.getppid()  # not always PID itself: a Python may be a script that starts the real one
        while os.getppid() == parent:  # an orphan gets another
            time.sleep(0.2)


def _end_with(pid: int) -> None:
    _wait_for_end(pid)
    os._exit(1)


def _run(name: str, *rest: str) -> None:
    """As `python name rest` would, without this file's folder on the path, where `server` or `client` would hide the host's."""
    tools = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != tools]
    if name == "-m":
        # The portable build's Python looks neither beside the script nor in the current folder.
        sys.path.insert(0, str(tools.parent))
        sys.argv[:] = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(name).parent))
        sys.argv[:] = [name, *rest]
        runpy.run_path(name, run_name="__main__")


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    _run(*sys.argv[2:])
