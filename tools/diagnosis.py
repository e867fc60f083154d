"""Turns the log of a failed set-up phase into one error that says what to do. It repeats no address from the log."""

import re
from pathlib import Path

from tools import pins
from tools.errors import ChoreError

HASH = re.compile(r"Expected sha256\s+(\w+).*?Got\s+(\w+)", re.DOTALL)
NOT_OFFERED = re.compile(r"No matching distribution found for ([^\s;(]+)")
FULL = re.compile(r"No space left on device|Errno 28|not enough space on the disk", re.IGNORECASE)
OFFLINE = re.compile(
    r"name resolution|getaddrinfo|NameResolutionError|NewConnectionError|ConnectTimeout|ReadTimeout|Connection refused"
    r"|Network is unreachable|ProxyError|Connection reset|SSLError|Max retries exceeded|RemoteDisconnected|ProtocolError",
)
NO_VENV = re.compile(r"ensurepip is not\s+available|No module named '?(venv|ensurepip)'?")


def explain(output: str, phase: str, code: int, log: Path) -> ChoreError:
    """The likeliest cause first: pip reports a missing network also as a package that nobody offers."""
    see = f"The log is {log}."
    if found := HASH.search(output):
        return ChoreError(
            f"an archive of {pins.ARCHIVE} with sha256 {found[1]}",
            f"one with {found[2]}",
            f"Nothing of it was run. Somebody may have changed it: do not go on, report it. {see}",
        )
    if FULL.search(output):
        return ChoreError(
            "room on the disk", "a full one", f"Free some, then run the same command: it goes on after the finished phases. {see}"
        )
    if OFFLINE.search(output):
        return ChoreError(
            "an answer from pip's package index",
            "no connection",
            f"Check the network and pip's proxy settings, then run the same command: it goes on after the finished phases. {see}",
        )
    if NO_VENV.search(output):
        return ChoreError(
            "a Python that can make virtual environments",
            "one without venv or ensurepip",
            "On Debian or Ubuntu: apt install python3-venv. Elsewhere: use the Python from python.org or your package manager.",
        )
    if found := NOT_OFFERED.search(output):
        return ChoreError(
            f"{found[1]} for this system and Python",
            "none in pip's package index",
            f"Check pip's own settings, or try another Python, 3.12 for one. {see}",
        )
    return ChoreError(
        f"the phase '{phase}' to succeed",
        f"exit code {code}",
        f"{see} To begin anew, delete its folder and run the same command.",
    )
