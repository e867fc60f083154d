"""Blueprints: subgraphs that drop in as one node, sample the same seed without and with a technique, and show both.

Each is a recipe like an example. What is in the groups `OUTSIDE` and `SHOWN` stands for what a user connects: the titles of those
nodes, and of the loader's outputs, become the names of the inputs and outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.examples.demo import MOVING
from tools.examples.recipe import Link, Node, Recipe

OUTSIDE, INSIDE, SHOWN = "What is connected", "Inside", "What comes out"
VALUES = {int: "PrimitiveInt", float: "PrimitiveFloat", str: "PrimitiveStringMultiline"}


@dataclass
class Blueprint:
    """A recipe on the demo model in three groups; the middle one becomes the node."""

    name: str
    description: str
    aliases: tuple[str, ...]
    recipe: Recipe = field(init=False)

    def __post_init__(self) -> None:
        self.recipe = Recipe(self.name, self.description)
        self.recipe.group(OUTSIDE)
        loader = self.recipe.add("TA_LoadDemoModel", "each by its own name")
        self.model, self.clip, self.vae = (loader[output] for output in range(3))
        self.positive, self.negative = self._text(MOVING, "positive"), self._text("", "negative")
        size = {"width": 64, "height": 64, "length": 33}
        self.latent = self.recipe.add("EmptyHunyuanLatentVideo", "latent", **size)[0]
        self.run = {"seed": self.value("seed", 7), "steps": self.value("steps", 20), "cfg": self.value("cfg", 5.0)}

    @property
    def inside(self) -> list[int]:
        """The nodes that become one."""
        return [int(id) for group in self.recipe.groups if group.title == INSIDE for id in group.nodes]

    def _text(self, text: str, title: str) -> Link:
        return self.recipe.add("CLIPTextEncode", title, clip=self.clip, text=text)[0]

    def value(self, title: str, default: int | float | str) -> Link:
        """A widget of the node."""
        return self.recipe.add(VALUES[type(default)], title, value=default)[0]

    def add(self, kind: str, title: str = "", **inputs) -> Node:
        return self.recipe.add(kind, title, **inputs)

    def sample(self, title: str, model: Link) -> Link:
        return self.add(
            "KSampler", title, model=model, **self.run, sampler_name="euler", scheduler="simple", positive=self.positive,
            negative=self.negative, latent_image=self.latent,
        )[0]  # fmt: skip

    def both(self, plain: Link, treated: Link) -> tuple[Link, Link, Link]:
        """(frames without, frames with, both side by side)."""
        clips = [
            self.add("VAEDecode", f"Decode {name}", samples=one, vae=self.vae)[0]
            for name, one in (("baseline", plain), ("treated", treated))
        ]
        return *clips, self.add("ImageStitch", "Side by side", image1=clips[0], image2=clips[1], spacing_width=4)[0]

    def shown(self, pictures: Mapping[str, Link], texts: Mapping[str, Link]) -> "Blueprint":
        """Names the outputs."""
        self.recipe.group(SHOWN)
        for title, link in pictures.items():
            self.add("PreviewImage", title, images=link)
        for title, link in texts.items():
            self.add("PreviewAny", title, source=link)
        return self


def any_technique() -> Blueprint:
    made = Blueprint(
        "Baseline against treated",
        "Samples the same seed with two models, one plain and one with techniques. Outputs both videos side by side, how "
        "attention between frames changed, and what each technique did. Sampler euler, scheduler simple.",
        ("compare", "A/B", "before and after", "same seed", "temporal attention"),
    )
    treated_model = made.add("TA_TemporalAttentionRegularization", "treated model", model=made.model)
    made.recipe.group(INSIDE)
    traces = [
        made.add("TA_TraceAttention", f"Trace {name}", model=model)
        for name, model in (("baseline", made.model), ("treated", treated_model[0]))
    ]
    plain, treated = made.sample("Baseline", traces[0][0]), made.sample("Treated", traces[1][0])
    before, after, row = made.both(plain, treated)
    seen = {"trace": traces[1][1], "samples": treated}
    change = made.add("TA_FrameAttention", "What changed", when="after", baseline=traces[0][1], baseline_samples=plain, **seen)
    heatmap = made.add("TA_TensionHeatmap", quantity="tension after", **seen)
    report = made.add("TA_TraceInfo", **seen)
    measures = made.add("TA_VideoMeasures", before=before, after=after)
    pictures = {"side by side": row, "heatmap": heatmap[0], "attention change": change[0]}
    return made.shown(pictures, {"report": report[0], "measures": measures[0]})


def homeostasis() -> Blueprint:
    made = Blueprint(
        "Baseline against STH",
        "Samples the same seed without and with Spectral Transport Homeostasis. Outputs both videos side by side, the tension "
        "before, how much of it was removed, and a report. Sampler euler, scheduler simple.",
        ("STH", "compare", "flicker", "same seed", "temporal attention"),
    )
    tau = made.value("tau", 0.2)
    made.recipe.group(INSIDE)
    sth = made.add("TA_SpectralTransportHomeostasis", model=made.model, tau=tau)
    trace = made.add("TA_TraceAttention", model=sth[0])
    plain, treated = made.sample("Baseline", made.model), made.sample("With STH", trace[0])
    _, _, row = made.both(plain, treated)
    seen = {"trace": trace[1], "samples": treated}
    heatmaps = {
        name: made.add("TA_TensionHeatmap", name.capitalize(), quantity=name, **seen)[0]
        for name in ("tension before", "tension reduction")
    }
    report = made.add("TA_TraceInfo", **seen)
    return made.shown({"side by side": row} | heatmaps, {"report": report[0]})


def timing() -> Blueprint:
    made = Blueprint(
        "Baseline against TempoControl",
        "Samples the same seed without and with TempoControl. Outputs both videos side by side, where the schedule's first "
        "phrase draws attention, and how the iterations went. Sampler euler, scheduler simple.",
        ("TempoControl", "timing", "schedule", "compare", "when", "same seed", "temporal attention"),
    )
    prompt, schedule = made.value("prompt", MOVING), made.value("schedule", "red circle: 0=0, 17=1")
    fps = made.value("fps", 16.0)
    made.recipe.group(INSIDE)
    encoded = made.add("CLIPTextEncode", "Prompt", clip=made.clip, text=prompt)
    tempo = made.add("TA_TemporalSchedule", schedule=schedule, fps=fps, samples=made.latent)
    control = made.add("TA_TempoControl", model=made.model, clip=made.clip, tempo=tempo[0], prompt=prompt)
    made.positive = encoded[0]
    plain, treated = made.sample("Baseline", made.model), made.sample("With TempoControl", control[0])
    _, after, row = made.both(plain, treated)
    seen = {"trace": control[1], "samples": treated}
    words = made.add("TA_WordAttention", images=after, **seen)
    report = made.add("TA_TempoReport", **seen)
    return made.shown({"side by side": row, "heatmap": words[0], "schedule": tempo[1], "iterations": report[0]}, {})


def blueprints() -> list[Blueprint]:
    """All of them."""
    return [any_technique(), homeostasis(), timing()]
