"""The real AnimateDiff-Evolved from a checkout, through its own nodes: an image UNet of real size with random weights."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from unittest.mock import patch

import folder_paths
import torch
from comfy.supported_models import SD15
from families import Tiny, in_process
from safetensors.torch import save_file

NAME = "random.safetensors"
CHANNELS = (320, 640, 1280, 1280)  # of the four levels; the pack knows them by heart


def nodes(checkout: str) -> dict[str, type]:
    """The pack's nodes by their names."""
    name = "animatediff_evolved"
    spec = importlib.util.spec_from_file_location(name, Path(checkout) / "__init__.py", submodule_search_locations=[checkout])
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name].NODE_CLASS_MAPPINGS


def image_model():
    """All of Stable Diffusion 1.5 but its weights."""
    return in_process(
        SD15, image_size=32, in_channels=4, out_channels=4, model_channels=320, num_res_blocks=[2, 2, 2, 2],
        channel_mult=[1, 2, 4, 4], transformer_depth=[1, 1, 1, 1, 1, 1, 0, 0], transformer_depth_middle=1,
        transformer_depth_output=[1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], num_heads=8, context_dim=768, adm_in_channels=None,
        use_spatial_transformer=True, legacy=False, use_linear_in_transformer=False, use_temporal_attention=False,
        use_temporal_resblock=False,
    )  # fmt: skip


def motion_weights() -> dict[str, torch.Tensor]:
    """Random weights of a motion model as its files hold them; with a middle block and 32 positions (version 2)."""
    stages = [(f"down_blocks.{i}", 2, size) for i, size in enumerate(CHANNELS)]
    stages += [(f"up_blocks.{i}", 3, size) for i, size in enumerate(reversed(CHANNELS))] + [("mid_block", 1, CHANNELS[-1])]
    generator, weights = torch.Generator().manual_seed(0), {}
    for stage, modules, size in stages:
        for module in range(modules):
            for name, shape in shapes(size).items():
                value = torch.randn(shape, generator=generator)
                scaled = value / shape[-1] ** 0.5 if len(shape) == 2 else float(name.endswith("norm.weight")) + 0.1 * value
                weights[f"{stage}.motion_modules.{module}.temporal_transformer.{name}"] = scaled
    return weights


def shapes(size: int) -> dict[str, tuple[int, ...]]:
    """The parameters of one motion module."""
    block = "transformer_blocks.0"
    found = {"norm.weight": (size,), "norm.bias": (size,), f"{block}.ff_norm.weight": (size,), f"{block}.ff_norm.bias": (size,)}
    linear = {"proj_in": (size, size), "proj_out": (size, size)}
    linear |= {f"{block}.ff.net.0.proj": (8 * size, size), f"{block}.ff.net.2": (size, 4 * size)}
    for i in range(2):
        attention = f"{block}.attention_blocks.{i}"
        found |= {f"{attention}.to_{part}.weight": (size, size) for part in "qkv"}
        found |= {f"{attention}.pos_encoder.pe": (1, 32, size)}
        found |= {f"{block}.norms.{i}.weight": (size,), f"{block}.norms.{i}.bias": (size,)}
        linear |= {f"{attention}.to_out.0": (size, size)}
    for name, (rows, columns) in linear.items():
        found |= {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}
    return found


class Real:
    """Like the stand-in's: MODELs with one image MODEL and one motion model."""

    tiny, blocks, sizes = Tiny(image_model, (4, 4, 8, 8), 768), 21, {(8, 8), (4, 4), (2, 2), (1, 1)}

    def __init__(self, checkout: str, folder: Path):
        (folder / "animatediff_models").mkdir()
        save_file(motion_weights(), folder / "animatediff_models" / NAME)
        with patch.object(folder_paths, "models_dir", str(folder)):  # where the pack registers and makes folders of its own
            self.nodes = nodes(checkout)
        self.image = image_model()
        (self.motion,) = self.run("ADE_LoadAnimateDiffModel", NAME)

    def run(self, node: str, *args, **kwargs) -> tuple:
        """What a node returns."""
        found = self.nodes[node]
        return getattr(found(), found.FUNCTION)(*args, **kwargs)

    def model(self, off: bool = False, context: int = 0, view: int = 0):
        """The MODEL of Use Evolved Sampling."""
        (motions,) = self.run("ADE_ApplyAnimateDiffModelSimple", self.motion, effect_multival=0.0 if off else None)
        options = None
        if context:
            (options,) = self.run("ADE_StandardStaticContextOptions", context_length=context, context_overlap=1)
        if view:
            (views,) = self.run("ADE_StandardStaticViewOptions", view_length=view, view_overlap=0)
            (options,) = self.run("ADE_ViewsOnlyContextOptions", views)
        return self.run("ADE_UseEvolvedSampling", self.image, "autoselect", m_models=motions, context_options=options)[0]
