"""A lock between processes that the system itself frees when its owner ends, however it ends."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

if os.name == "nt":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _taken(file: BinaryIO) -> bool:
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):  # Linux and macOS, Windows
        return False
    return True


@contextmanager
def held(path: Path, on_wait: Callable[[float], None], every: float = 15.0, poll: float = 0.5) -> Iterator[None]:
    """Holds the lock; while it must wait for it, calls `on_wait(seconds so far)` at once and then every `every` seconds."""
    with path.open("ab") as file:  # closing the file frees the lock
        started = time.monotonic()
        told = -every
        while not _taken(file):
            waited = time.monotonic() - started
            if waited - told >= every:
                told = waited
                on_wait(waited)
            time.sleep(poll)
        yield
