"""Host tests run in a real ComfyUI on the CPU; `COMFYUI_PATH` says where it is (dev.py sets it)."""

import os
import sys
from pathlib import Path

sys.path.insert(0, os.environ["COMFYUI_PATH"])
sys.path.append(str(Path(__file__).parents[1] / "unit"))  # reference.py: the naive float64 mathematics

import comfy.cli_args  # noqa: E402  (must precede every other comfy import: it decides the device)

comfy.cli_args.args.cpu = True
comfy.cli_args.args.use_pytorch_cross_attention = True  # the fused kernel that GPU users have; the CPU default makes N x N

import folder_paths  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from families import tiny_networks  # noqa: E402


@pytest.fixture(autouse=True)
def inference_mode():
    """As the host runs its nodes."""
    with torch.inference_mode():
        yield


@pytest.fixture(autouse=True)
def temporary_folder(monkeypatch, tmp_path):
    """Where the pictures that nodes show are written: empty at first."""
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def tiny():
    """The tiny network that most tests run on."""
    return tiny_networks()["wan_t2v"]


@pytest.fixture(scope="module")
def model(tiny):
    """It, loaded as a MODEL."""
    with torch.inference_mode():
        return tiny.load()
