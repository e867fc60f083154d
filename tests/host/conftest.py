"""Host tests run in a real ComfyUI on the CPU; `COMFYUI_PATH` says where it is (dev.py sets it)."""

import os
import sys
from pathlib import Path

sys.path.insert(0, os.environ["COMFYUI_PATH"])
sys.path.append(str(Path(__file__).parents[1] / "unit"))  # reference.py: the naive float64 mathematics

import comfy.cli_args  # noqa: E402  (must precede every other comfy import: it decides the device)

comfy.cli_args.args.cpu = True
comfy.cli_args.args.use_pytorch_cross_attention = True  # the fused kernel that GPU users have; the CPU default makes N x N
