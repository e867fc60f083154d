"""Node: Perturbation Sweep."""

from __future__ import annotations

import comfy.samplers
from comfy_api.latest import io, ui

from ..py.host.families import adapter_of
from ..py.host.trials import Prompts, Steps, Trials
from ..py.views.sweep_chart import sweep_chart
from ..py.views.sweep_report import sweep_report
from . import _inputs as shared
from . import _perturb as perturb
from ._sweep import Plan, swept

BOTH = "identity and uniform"
PERTURBATIONS = {BOTH: ("identity", "uniform"), "identity": ("identity",), "uniform": ("uniform",)}
LARGEST_SEED = 2**64 - 1


class PerturbationSweepNode(io.ComfyNode):
    """MODEL, CONDITIONING, LATENT -> IMAGE, STRING: what each block's attention is for."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_PerturbationSweep",
            display_name="Perturbation Sweep",
            category=shared.DIAGNOSTICS,
            description="Replaces the attention pattern of one block after another, and of halves of the network, and measures "
            "what changes: how much overall, the structure of the frames, the motion between them. By default at one step, with "
            "two predictions per block; whole generations are the paper's protocol.",
            search_aliases=["perturbation analysis", "block importance", "which layer to skip", "SLG layers", "IE-Adapt"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="A video model, with or without techniques on it."),
                io.Conditioning.Input("positive", tooltip="The prompt."),
                io.Conditioning.Input(
                    "negative", optional=True, tooltip="The negative prompt. Not connected: no guidance, whatever cfg is."
                ),
                io.Latent.Input(
                    "latent",
                    tooltip="Empty latent: the video is sampled up to the step. Latent of a video: it is noised to the step.",
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="Compare frames decoded with this VAE, once per run. Not connected: by the colours of the live "
                    "preview.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=LARGEST_SEED,
                    control_after_generate=True,
                    tooltip="Seed of the noise for all runs.",
                ),
                io.Float.Input("cfg", default=4.0, min=0.0, max=100.0, step=0.1, tooltip="Guidance, as in the sampler."),
                io.Float.Input(
                    "at_percent",
                    default=0.25,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where in the run the prediction is compared, 0 = first step. Same scale as start_percent in "
                    "built-in nodes.",
                ),
                io.Boolean.Input(
                    "whole_generations",
                    default=False,
                    tooltip="Sample a whole video for each block and replacement, as the paper does. Very slow.",
                ),
                *_advanced_inputs(),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The chart, 1024 pixels wide: blocks, then groups of them."),
                io.String.Output(display_name="report", tooltip="A table of all runs. Connect to Preview as Text."),
            ],
        )

    @classmethod
    def execute(
        cls, model, positive, latent, seed, cfg, at_percent, whole_generations, steps, sampler_name, scheduler, attention, blocks,
        replace_by, negative=None, vae=None,
    ) -> io.NodeOutput:  # fmt: skip
        """Runs the sweep, draws and reports it."""
        where = perturb.where_of(model, attention, shared.numbers(blocks, "block numbers"))
        tried = ("uniform",) if (attention, replace_by) == ("cross", BOTH) else PERTURBATIONS[replace_by]
        prompts = Prompts(positive, negative, cfg)
        trials = Trials(model, prompts, latent, seed, Steps(steps, sampler_name, scheduler), at_percent, whole_generations)
        sweep, profile = swept(model, Plan(where, tried, whole_generations, vae), trials)
        when = f"whole generations, {steps} steps"
        if not whole_generations:
            when = f"step {trials.step} of {steps} (sigma {trials.sigma:.3g})"
        head = f"{adapter_of(model).family}, {when}, {profile.name}"
        image = sweep_chart(sweep, head)
        return io.NodeOutput(image, sweep_report(sweep, profile, head), ui=ui.PreviewImage(image, cls=cls))


def _advanced_inputs() -> list[io.Input]:
    """How the video is sampled, and what is tried."""
    return [
        io.Int.Input("steps", default=20, min=1, max=10000, advanced=True, tooltip="Steps of the run, as in the sampler."),
        io.Combo.Input(
            "sampler_name",
            options=comfy.samplers.SAMPLER_NAMES,
            default="euler",
            advanced=True,
            tooltip="Sampler up to the step, or of the whole generations.",
        ),
        io.Combo.Input(
            "scheduler",
            options=comfy.samplers.SCHEDULER_NAMES,
            default="simple",
            advanced=True,
            tooltip="Schedule of the noise, as in the sampler.",
        ),
        perturb.attention_input(),
        shared.blocks_input(),
        io.Combo.Input(
            "replace_by",
            options=list(PERTURBATIONS),
            default=BOTH,
            advanced=True,
            tooltip="What patterns are replaced by. Cross-attention has no identity.",
        ),
    ]
