"""Importing it makes the host's modules importable, and the pack as `pack`, on the GPU where there is one.

It must come before every comfy import: the host reads its options when its modules are loaded.
"""

import os
import sys
import types

import torch

from tools import ROOT

sys.path.insert(0, os.environ["COMFYUI_PATH"])

import comfy.cli_args  # noqa: E402

comfy.cli_args.args.cpu = not torch.cuda.is_available()
comfy.cli_args.args.use_pytorch_cross_attention = True  # the fused kernel; the host's default on a CPU makes N x N

pack = types.ModuleType("pack")
pack.__path__ = [str(ROOT)]
sys.modules["pack"] = pack
