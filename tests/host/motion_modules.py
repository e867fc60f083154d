"""A stand-in for AnimateDiff-Evolved: its module classes by name, how they nest and call each other, how they enter the network.

Written from what that pack does as far as others can see it; the mathematics inside is the plainest that has these shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from comfy.ldm.modules.attention import FeedForward, attention_pytorch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import PatcherInjection, WrappersMP
from einops import rearrange
from torch import nn

KEY = "ADE"
MOST_FRAMES = 32


class VersatileAttention(nn.Module):
    """Each position attends to its own frames; the kernel is an attribute and is told nothing of the host's options."""

    def __init__(self, dim, heads):
        super().__init__()
        self.actual_attention, self.heads = attention_pytorch, heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.0))
        self.position = nn.Parameter(torch.zeros(1, MOST_FRAMES, dim))

    def forward(
        self, hidden_states, encoder_hidden_states=None, attention_mask=None, video_length=None, transformer_options=None
    ):
        x = rearrange(hidden_states, "(b f) d c -> (b d) f c", f=video_length)
        x = x + self.position[:, :video_length]
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        try:
            out = self.actual_attention(q, k, v, self.heads, attention_mask)
        except RuntimeError as error:
            if "invalid configuration argument" not in str(error):
                raise
            self.actual_attention = slow_attention
            out = self.actual_attention(q, k, v, self.heads, attention_mask)
        return rearrange(self.to_out(out), "(b d) f c -> (b f) d c", d=hidden_states.shape[1])


def slow_attention(q, k, v, heads, mask=None):
    return attention_pytorch(q, k, v, heads, mask)


class TemporalTransformerBlock(nn.Module):
    """Two attentions over the frames; with `view` frames at a time, if those are fewer than all."""

    def __init__(self, dim, heads):
        super().__init__()
        self.attention_blocks = nn.ModuleList(VersatileAttention(dim, heads) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.ff, self.ff_norm = FeedForward(dim, glu=True), nn.LayerNorm(dim)

    def forward(self, hidden_states, video_length=None, view_options=None, transformer_options=None):
        views = [slice(None)]
        if view_options and view_options < video_length:
            views = [slice(start, start + view_options) for start in range(0, video_length, view_options)]
        parts = rearrange(hidden_states, "(b f) d c -> b f d c", f=video_length)
        seen = torch.cat([self.attend(parts[:, view], transformer_options) for view in views], dim=1)
        x = rearrange(seen, "b f d c -> (b f) d c")
        return self.ff(self.ff_norm(x)) + x

    def attend(self, part, transformer_options):
        x, frames = rearrange(part, "b f d c -> (b f) d c"), part.shape[1]
        for attention, norm in zip(self.attention_blocks, self.norms, strict=True):
            x = attention(norm(x), video_length=frames, transformer_options=transformer_options) + x
        return rearrange(x, "(b f) d c -> b f d c", f=frames)


class TemporalTransformer3DModel(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm = nn.GroupNorm(32, dim)
        self.proj_in, self.proj_out = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.transformer_blocks = nn.ModuleList([TemporalTransformerBlock(dim, heads)])

    def forward(self, hidden_states, video_length, view_options, transformer_options):
        height = hidden_states.shape[2]
        x = self.proj_in(rearrange(self.norm(hidden_states), "b c h w -> b (h w) c"))
        for block in self.transformer_blocks:
            x = block(x, video_length=video_length, view_options=view_options, transformer_options=transformer_options)
        return rearrange(self.proj_out(x), "b (h w) c -> b c h w", h=height) + hidden_states


class VanillaTemporalModule(nn.Module):
    """One motion module. `effect`: None, or how much of it is mixed in: a number or a mask."""

    def __init__(self, dim, block_type, block_idx, module_idx, heads=2):
        super().__init__()
        self.block_type, self.block_idx, self.module_idx = block_type, block_idx, module_idx
        self.video_length, self.view_options, self.effect = 16, None, None
        self.temporal_transformer = TemporalTransformer3DModel(dim, heads)

    def forward(self, input_tensor, encoder_hidden_states=None, attention_mask=None, transformer_options=None):
        if isinstance(self.effect, float) and self.effect == 0.0:
            return input_tensor
        out = self.temporal_transformer(input_tensor, self.video_length, self.view_options, transformer_options)
        return out if self.effect is None else input_tensor * (1 - self.effect) + out * self.effect


class AnimateDiffModel(nn.Module):
    """A motion model: one motion module for each stage of a network that has a layer; `middle` for its middle stage too."""

    def __init__(self, down, up, middle=None):
        super().__init__()
        self.down_blocks = nn.ModuleList(VanillaTemporalModule(dim, "down", i, 0) for i, dim in enumerate(down))
        self.up_blocks = nn.ModuleList(VanillaTemporalModule(dim, "up", i, 0) for i, dim in enumerate(up))
        self.mid_block = nn.ModuleList([] if middle is None else [VanillaTemporalModule(middle, "mid", 0, 0)])

    @property
    def motion_modules(self):
        return [*self.down_blocks, *self.up_blocks, *self.mid_block]

    def set(self, **settings):
        for module in self.motion_modules:
            vars(module).update(settings)

    def inject(self, network):
        place(network.input_blocks, self.down_blocks)
        place(network.output_blocks, self.up_blocks)
        place([network.middle_block], self.mid_block)

    def eject(self, network):
        for stage in (*network.input_blocks, network.middle_block, *network.output_blocks):
            for index in reversed(range(len(stage))):
                if isinstance(stage[index], VanillaTemporalModule):
                    stage.pop(index)


def place(stages, modules):
    """After the spatial transformer of each stage, or after its residual layer where it has none."""
    modules = iter(modules)
    for stage in stages:
        names = [type(layer).__name__ for layer in stage]
        after = next((name for name in ("SpatialTransformer", "ResBlock") if name in names), None)
        if after is not None and (module := next(modules, None)) is not None:
            stage.insert(names.index(after) + 1, module)


def with_motion(model: ModelPatcher, *motions: AnimateDiffModel, context: int = 0, view: int = 0) -> ModelPatcher:
    """A clone of an image MODEL with motion models; `context`: frames of a context window, `view`: of a view (0: none)."""
    model, pack = model.clone(), Pack(motions, context, view)
    model.set_additional_models(KEY, [ModelPatcher(motion, model.load_device, model.offload_device) for motion in motions])
    model.set_injections(KEY, [PatcherInjection(inject=pack.inject, eject=pack.eject)])
    model.set_model_forward_timestep_embed_patch((VanillaTemporalModule, call_motion_module))
    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, pack.outer_sample)
    model.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, KEY, pack.calc_cond_batch)
    return model


def call_motion_module(layer, x, emb, context, transformer_options, *args):
    return layer(x, context, transformer_options=transformer_options)


@dataclass(frozen=True)
class Pack:
    """What hangs on the MODEL: the injection and the wrappers of a run."""

    motions: tuple[AnimateDiffModel, ...]
    context: int
    view: int

    def inject(self, patcher):
        for motion in self.motions:
            motion.inject(patcher.model.diffusion_model)

    def eject(self, patcher):
        for motion in self.motions:
            motion.eject(patcher.model.diffusion_model)

    def set(self, **settings):
        for motion in self.motions:
            motion.set(**settings)

    def outer_sample(self, executor, *args, **kwargs):
        """All of the batch is one video."""
        self.set(video_length=args[1].shape[0], view_options=self.view)
        try:
            return executor(*args, **kwargs)
        finally:
            self.set(video_length=16, view_options=None)

    def calc_cond_batch(self, executor, model, conds, x, timestep, model_options):
        """Window after window, each a network call of its own; where windows overlap, their mean."""
        options = {**model_options["transformer_options"], "ad_params": {"sub_idxs": None, "full_length": x.shape[0]}}
        model_options = {**model_options, "transformer_options": options}
        if not 0 < self.context < x.shape[0]:
            return executor(model, conds, x, timestep, model_options)
        total, count = [torch.zeros_like(x) for _ in conds], torch.zeros(x.shape[0], 1, 1, 1)
        for start in range(0, x.shape[0] - self.context + 1, self.context - 1):
            indices = list(range(start, start + self.context))
            options["ad_params"]["sub_idxs"] = indices
            self.set(video_length=self.context)
            for whole, part in zip(total, executor(model, conds, x[indices], timestep[indices], model_options), strict=True):
                whole[indices] += part
            count[indices] += 1
        return [whole / count for whole in total]
