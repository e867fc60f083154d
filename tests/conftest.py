"""Makes the pack importable as `pack`, whatever its folder is called, without running its `__init__.py`."""

import sys
import types
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent

pack = types.ModuleType("pack")
pack.__path__ = [str(ROOT)]
sys.modules.setdefault("pack", pack)

torch.set_num_threads(1)  # the tests' tensors are tiny: on a busy machine a second thread makes them five times slower
