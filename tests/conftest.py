"""Makes the pack importable as `pack`, whatever its folder is called, without running its `__init__.py`."""

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

pack = types.ModuleType("pack")
pack.__path__ = [str(ROOT)]
sys.modules.setdefault("pack", pack)
