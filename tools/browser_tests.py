"""`dev.py test browser`: the tests in tests/browser, against a real server and its frontend. Runs in the host's own Python."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import ROOT, browser
from tools.errors import ChoreError
from tools.examples.editing import VIDEO
from tools.examples.pictures import write_video
from tools.server import Server

TESTS = ROOT / "tests" / "browser"
PICTURES = ROOT / "output" / "browser"


def main(arguments: Sequence[str]) -> int:
    """`arguments` go to Node.js: --test-name-pattern=WORDS runs only some tests."""
    environment = browser.environment()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as base, Server(Path(base), cpu=True) as server:
        write_video(Path(base) / "input" / VIDEO)
        command = ["node", "--test-reporter=spec", *arguments, str(TESTS / "all.mjs"), server.url, str(PICTURES)]
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
    print(f"Pictures to look at: {PICTURES}")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ChoreError as error:
        sys.exit(str(error))
