"""The README says what the tests hold: its table of families is the one made from the adapters and the tiny networks."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import families  # noqa: E402


def test_the_readme_has_the_current_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert families.readme_with(text, families.readme_table()) == text, "run: python dev.py families -- --readme"
