"""The parts of dev.py. A package, so that no stray `tools` among the host's packages is found instead."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
