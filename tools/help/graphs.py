"""What the pictures of the help pages show: workflows on the demo model, whose clips, images and texts are kept by node."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.examples.demo import MOVING, SEED, Demo
from tools.examples.editing import custom_sampling
from tools.examples.recipe import Link
from tools.examples.techniques import MASSIVE_CHANNEL

SOUND = "hits.wav"
TWO = "a yellow triangle grows and a blue square moves up on a black background"
TIMED = "a green square stays still on a white background"
KEY_PROMPTS = "a red square moves up on a white background\na blue square moves up on a white background"
ANSWER = """Sure! Here are the key states:
1. **0s:** a red circle moves left on a white background
2. **2s:** a blue circle moves left on a white background
I hope this helps."""


@dataclass
class Graph(Demo):
    """A workflow; `rows`: node id of a page -> the labels of the clips that it shows."""

    name: str
    prompt: str = MOVING
    rows: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self):
        super().__init__(self.name, "", self.prompt)

    def clips(self, page: str, **samples: Link) -> None:
        """Keeps the clips of these latents; their labels are the names."""
        for label, latent in samples.items():
            frames = self.add("VAEDecode", samples=latent, vae=self.vae)
            self.picture(page, frames[0])
            self.rows.setdefault(page, []).append(label)

    def picture(self, page: str, image: Link, place: int | None = None) -> None:
        """Keeps an image; several of a page stand below each other."""
        number = len(self.rows.get(page, ())) if place is None else place
        self.add("SaveImage", images=image, filename_prefix=f"{page}.{number}")

    def words(self, page: str, text: Link) -> None:
        """Keeps a text."""
        self.add("PreviewAny", page, source=text)


def graphs() -> list[Graph]:
    """All of them."""
    return [
        techniques(),
        regularization(),
        massive(),
        tension(),
        statistics(),
        entropy(),
        tempo(),
        synopsis(),
        measures(),
        dynamics(),
        nursing(),
        edit(),
    ]


def techniques() -> Graph:
    graph = Graph("techniques")
    plain = graph.sample("", graph.model)
    graph.clips("TA_LoadDemoModel", **{MOVING: plain})
    two = graph.text(TWO, "")
    graph.clips("TA_LoadDemoModel", **{TWO: graph.sample("", graph.model, two)})
    graph.clips("TA_AttentionPerturbation", untouched=plain)
    for kind in ("identity", "uniform"):
        node = graph.add("TA_AttentionPerturbation", model=graph.model, replace_by=kind, blocks="2")
        graph.clips("TA_AttentionPerturbation", **{f"block 2: {kind}": graph.sample("", node[0])})
    sweep = graph.add("TA_PerturbationSweep", model=graph.model, positive=graph.positive, negative=graph.negative,
                      latent=graph.latent, vae=graph.vae, seed=SEED, cfg=3.0)  # fmt: skip
    graph.picture("TA_PerturbationSweep", sweep[0])
    return graph


def regularization() -> Graph:
    """A clip a quarter longer than any of the training."""
    graph = Graph("regularization", "a blue square moves left on a gray background")
    graph.latent = graph.add("EmptyHunyuanLatentVideo", width=64, height=64, length=41, batch_size=1)[0]
    for label, settings in {
        "strength 0": {"strength": 0.0},
        "strength 1 (default)": {},
        "strength 2": {"strength": 2.0},
    }.items():
        tar = graph.add("TA_TemporalAttentionRegularization", model=graph.model, **settings)
        graph.clips("TA_TemporalAttentionRegularization", **{label: _run(graph, tar[0], seed=5)})
        if not settings:
            graph.picture("TA_RegularizationMatrix", graph.add("TA_RegularizationMatrix", model=tar[0], frames=9)[0])
    return graph


def massive() -> Graph:
    graph = Graph("massive")
    watched = graph.add("TA_MassiveActivations", model=graph.model)
    seen = {"trace": watched[1], "samples": graph.sample("", watched[0])}
    steered = graph.add("TA_StructuredActivationSteering", model=graph.model, channels=MASSIVE_CHANNEL)
    after = graph.add("TA_MassiveActivations", model=steered[0])
    seen_after = {"trace": after[1], "samples": graph.sample("", after[0])}
    line = {"picture": "one channel along the tokens", "block": 2, "channel": int(MASSIVE_CHANNEL), "steps": "2"}
    for place, run in enumerate((seen, seen_after)):
        chart = graph.add("TA_MassiveActivationChart", **line, **run)
        graph.picture("TA_StructuredActivationSteering", chart[0], place)
    graph.picture("TA_MassiveActivationChart", graph.add("TA_MassiveActivationChart", **seen)[0])
    graph.picture("TA_MassiveActivations", graph.add("TA_MassiveActivationChart", picture="over the steps", **seen)[0])
    report = graph.add("TA_MassiveActivationReport", **seen)
    graph.words("TA_MassiveActivationReport", report[0])
    saved = graph.add("TA_SaveMassiveProfile", profile=report[1], name="demo_model")
    graph.words("TA_SaveMassiveProfile", saved[0])
    graph.clips("TA_ActivationProbe", untouched=seen["samples"])
    for action, factor in (("zero", 0.0), ("amplify", 6.0)):
        probe = graph.add(
            "TA_ActivationProbe", model=graph.model, channels=MASSIVE_CHANNEL, blocks="2", action=action, factor=factor
        )
        said = "zero" if action == "zero" else "amplify, factor 6"
        graph.clips("TA_ActivationProbe", **{said: graph.sample("", probe[0])})
    return graph


def tension() -> Graph:
    graph = Graph("tension")
    sth = graph.add("TA_SpectralTransportHomeostasis", model=graph.model, tau=1.0, layer_weight="flat", step_weight="flat")
    traced = graph.add("TA_TraceAttention", model=sth[0])
    seen = {"trace": traced[1], "samples": graph.sample("", traced[0])}
    for place, quantity in enumerate(("tension before", "tension after")):
        heatmap = graph.add("TA_TensionHeatmap", quantity=quantity, **seen)
        graph.picture("TA_SpectralTransportHomeostasis", heatmap[0], place)
    graph.picture("TA_TensionHeatmap", graph.add("TA_TensionHeatmap", quantity="tension reduction", **seen)[0])
    graph.picture("TA_TensionDashboard", graph.add("TA_TensionDashboard", **seen)[0])
    few = graph.add("TA_FrameAttention", blocks="0, 2, 5", steps="0, 5, 10, 19", **seen)
    graph.picture("TA_FrameAttention", few[0])
    graph.picture("TA_TraceAttention", graph.add("TA_TensionHeatmap", quantity="row entropy before", **seen)[0])
    graph.words("TA_TraceInfo", graph.add("TA_TraceInfo", **seen)[0])
    graph.words("TA_SaveTrace", graph.add("TA_SaveTrace", name="sth", **seen)[0])
    existing = graph.add("TA_TraceVideo", model=graph.model, latent=seen["samples"], positive=graph.positive, percent=0.5)
    frames = graph.add("TA_FrameAttention", trace=existing[0], samples=existing[1], layout="film")
    graph.picture("TA_TraceVideo", frames[0])
    return graph


def statistics() -> Graph:
    """Eight videos with STH and without."""
    graph = Graph("statistics")
    batch = graph.add("EmptyHunyuanLatentVideo", width=64, height=64, length=33, batch_size=8)
    graph.latent = batch[0]
    sth = graph.add("TA_SpectralTransportHomeostasis", model=graph.model, tau=1.0)
    runs = []
    for model in (sth[0], graph.model):
        traced = graph.add("TA_TraceAttention", model=model)
        runs.append((traced[1], graph.sample("", traced[0])))
    (trace, samples), (baseline, baseline_samples) = runs
    traces = graph.add("TA_TraceSet", trace=trace, samples=samples, baseline=baseline, baseline_samples=baseline_samples)
    ranked = graph.add("TA_TensionPlots", figure="J: videos ranked by tension", trace=traces[0])
    graph.picture("TA_TraceSet", ranked[0])
    graph.words("TA_TensionStatistics", graph.add("TA_TensionStatistics", trace=traces[0])[0])
    graph.picture("TA_TensionPlots", graph.add("TA_TensionPlots", trace=traces[0])[0])
    return graph


def entropy() -> Graph:
    graph = Graph("entropy", "a green triangle moves right on a gray background")
    traced = graph.add("TA_TraceAttention", model=graph.model)
    plain = graph.sample("", traced[0])
    profile = graph.add("TA_EntropyProfile", trace=traced[1], samples=plain)
    graph.picture("TA_EntropyProfile", profile[0])
    runs = {"no node, cfg 1.5": graph.model}
    for scale in (1.0, 4.0):
        node = graph.add("TA_EntropyGuidance", model=graph.model, scale=scale, block=profile[3])
        runs[f"scale {scale:g}"] = node[0]
    graph.clips("TA_EntropyGuidance", **{label: _run(graph, model, cfg=1.5) for label, model in runs.items()})
    return graph


def _run(graph: Graph, model: Link, positive: Link | None = None, cfg: float = 3.0, seed: int = SEED) -> Link:
    """The latent of a run with another seed or scale of guidance."""
    return graph.add(
        "KSampler", model=model, seed=seed, steps=20, cfg=cfg, sampler_name="euler", scheduler="simple",
        positive=positive or graph.positive, negative=graph.negative, latent_image=graph.latent,
    )[0]  # fmt: skip


def tempo() -> Graph:
    graph = Graph("tempo", TIMED)
    schedule = graph.add("TA_TemporalSchedule", schedule="green square: 0=0, 17=1", fps=12.0, frames=33)
    graph.picture("TA_TemporalSchedule", schedule[1])
    control = graph.add("TA_TempoControl", model=graph.model, clip=graph.clip, tempo=schedule[0], prompt=TIMED)
    timed = _run(graph, control[0], cfg=1.0, seed=5)
    graph.clips("TA_TempoControl", **{"without": _run(graph, graph.model, cfg=1.0, seed=5), "green square: 0=0, 17=1": timed})
    seen = {"trace": control[1], "samples": timed}
    graph.picture("TA_TempoReport", graph.add("TA_TempoReport", **seen)[0])
    frames = graph.decode(timed, "")
    words = graph.add("TA_WordAttention", images=frames, phrase="green square", start_percent=0.5, **seen)
    graph.picture("TA_WordAttention", graph.add("ImageFromBatch", image=words[0], batch_index=28, length=1)[0])
    audio = graph.add("LoadAudio", audio=SOUND)
    graph.picture("TA_AudioSchedule", graph.add("TA_AudioSchedule", audio=audio[0], phrase="hammer hits", fps=16.0, frames=33)[1])
    return graph


def synopsis() -> Graph:
    graph = Graph("synopsis")
    vsp = graph.add("TA_VideoSynopsisPrompt", model=graph.model, clip=graph.clip, key_prompts=KEY_PROMPTS)
    graph.clips(
        "TA_VideoSynopsisPrompt",
        **{"a red square moves up ..., then a blue square moves up ...": _run(graph, vsp[0], vsp[1], seed=2)},
    )
    instruction = graph.add("TA_SynopsisInstruction", prompt="a lake from winter to spring", states=3, seconds=4.0)
    graph.words("TA_SynopsisInstruction", instruction[0])
    parsed = graph.add("TA_ParseSynopsis", answer=ANSWER)
    graph.words("TA_ParseSynopsis", parsed[0])
    graph.words("TA_ParseSynopsis", parsed[1])
    return graph


def measures() -> Graph:
    graph = Graph("measures")
    tar = graph.add("TA_TemporalAttentionRegularization", model=graph.model, preset="D1 (paper)")
    plain, treated = graph.sample("", graph.model), graph.sample("", tar[0])
    before, after = graph.decode(plain, ""), graph.decode(treated, "")
    graph.picture("TA_VideoMeasures", graph.add("TA_VideoMeasures", before=before, after=after)[1])
    graph.picture("TA_ChunkConsistency", graph.add("TA_ChunkConsistency", images=after, samples=treated)[1])
    alike = [graph.add("TA_FrameSimilarity", images=clip, stretch=False)[0] for clip in (before, after)]
    chart = graph.add(
        "TA_SimilarityByInterval", similarity=alike[0], other_similarity=alike[1], name="no node", other_name="TAR, D1 (paper)"
    )
    graph.picture("TA_SimilarityByInterval", chart[0])
    return graph


def dynamics() -> Graph:
    graph = Graph("dynamics", "a yellow circle moves right on a black background")
    reference = graph.decode(graph.sample("", graph.model), "")
    graph.picture("TA_FrameSimilarity", graph.add("TA_FrameSimilarity", images=reference)[1])
    return graph


def nursing() -> Graph:
    """The reference moves the other way than the prompt says."""
    graph = Graph("nursing", "a blue square moves left on a gray background")
    reference = graph.sample("", graph.model, graph.text("a red circle moves right on a white background", ""))
    noise = graph.add("RandomNoise", noise_seed=SEED)
    nursed = graph.add(
        "TA_InitialNoiseNursing", model=graph.model, positive=graph.positive, noise=noise[0], latent_image=graph.latent,
        reference=reference,
    )  # fmt: skip
    graph.picture("TA_InitialNoiseNursing", nursed[1])
    return graph


def edit() -> Graph:
    graph = Graph("edit")
    target = graph.text("a blue circle moves left on a white background", "")
    sampler, sigmas = custom_sampling(graph)
    noise = graph.add("RandomNoise", noise_seed=SEED)
    guider = graph.add(
        "TA_EntropyEdit", model=graph.model, source=graph.positive, target=target, negative=graph.negative, cfg=3.0, share=1.0
    )
    edited = graph.add(
        "SamplerCustomAdvanced", noise=noise[0], guider=guider[0], sampler=sampler, sigmas=sigmas, latent_image=graph.latent
    )
    alone = graph.sample("", graph.model, target)
    graph.clips(
        "TA_EntropyEdit", source=graph.sample("", graph.model), **{"target prompt alone": alone, "edit, share 1": edited[0]}
    )
    return graph


def loading() -> Graph:
    """What the graphs before it have saved, read again."""
    graph = Graph("loading")
    graph.words("TA_LoadTrace", graph.add("TA_LoadTrace", name="sth")[1])
    graph.words("TA_LoadMassiveProfile", graph.add("TA_LoadMassiveProfile", name="demo_model")[1])
    return graph
