"""`dev.py test scripts`: the tests in tests/js, which need Node.js and nothing else."""

import shutil
import subprocess
import sys
from collections.abc import Sequence

from tools import ROOT
from tools.errors import ChoreError

TESTS = ROOT / "tests" / "js"


def missing() -> list[str]:
    """What is not there of it."""
    return [] if shutil.which("node") else ["Node.js"]


def main(arguments: Sequence[str]) -> int:
    """`arguments` go to Node.js: --test-name-pattern=WORDS runs only some tests."""
    if missing():
        raise ChoreError("Node.js", "none", "Install it to test the JavaScript of this pack.")
    files = sorted(map(str, TESTS.glob("*.test.mjs")))
    return subprocess.run(["node", "--test", "--test-reporter=dot", *arguments, *files], cwd=ROOT).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ChoreError as error:
        sys.exit(str(error))
