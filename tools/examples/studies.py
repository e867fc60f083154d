"""Examples that study what happens inside: many videos at once, existing videos, and massive activations."""

from tools.examples.demo import Demo
from tools.examples.recipe import Recipe
from tools.examples.techniques import MASSIVE_CHANNEL


def many_videos() -> Recipe:
    demo = Demo(
        "Spectral Tension of many videos",
        "## Spectral Tension of many videos\n"
        "Six videos in one batch, without and with STH from the same noise, and what the technique did to all of them.\n\n"
        "**Look at**\n"
        "- *Statistics*, with the video as the unit: how many of the six improved, by how much, and how certain that is.\n"
        "- *Tension Dashboard*: the mean over the videos, for every block and step.\n"
        "- *Figure A* and *Figure C*: call by call, and video by video.\n"
        "- *Save Trace* saves a run as a file; *Load Trace* loads it at any time, without its latent.\n\n"
        "**More videos:** run it with other seeds and prompts, saving the traces as `plain` and `sth`; then *Trace Set* with "
        "`sth_*` and `plain_*` collects them all.",
        videos=6,
    )
    demo.group("2. Six videos, twice")
    sth = demo.add("TA_SpectralTransportHomeostasis", model=demo.model, tau=1.0, layer_weight="flat", step_weight="flat")
    watched = {"entropy_rows": 0}
    plain_trace = demo.add("TA_TraceAttention", "Trace baseline", model=demo.model, **watched)
    trace = demo.add("TA_TraceAttention", "Trace STH", model=sth[0], **watched)
    plain, treated = demo.sample("Baseline", plain_trace[0]), demo.sample("With STH", trace[0])
    demo.group("3. Collect and test")
    gathered = demo.add("TA_TraceSet", trace=trace[1], samples=treated, baseline=plain_trace[1], baseline_samples=plain)
    demo.text_view(demo.add("TA_TensionStatistics", trace=gathered[0])[0], "Statistics")
    dashboard = demo.add("TA_TensionDashboard", trace=gathered[0])
    shown = demo.save(dashboard[0], "Save dashboard", "tension_dashboard")
    demo.recipe.cover = shown.id
    demo.group("4. Figures")
    demo.add("TA_TensionPlots", "Figure A", trace=gathered[0])
    demo.add("TA_TensionPlots", "Figure C", trace=gathered[0], figure="C: each video")
    demo.group("5. Save and load a run")
    file = demo.add("TA_SaveTrace", trace=trace[1], samples=treated, name="sth")
    loaded = demo.add("TA_LoadTrace", name=file[0])
    demo.text_view(loaded[1], "Facts of the loaded run")
    demo.add("TA_TensionHeatmap", "Tension of the loaded run", trace=loaded[0])
    return demo.recipe


def existing_videos() -> Recipe:
    demo = Demo(
        "Attention of existing videos",
        "## Attention of existing videos\n"
        "*Trace Video* adds noise to a video's latent, lets the model predict once, and records how frames attend to each other. "
        "This way real footage can be compared with generated videos (Fig. 3 of VSTAR).\n\n"
        "**Look at**\n"
        "- *Similarity by Interval*: how alike two frames are, against how far apart they are. It falls in the moving clip and "
        "stays high in the still one. Above it: how much such frames attend to each other.\n"
        "- *Frame Attention* of both: how bright the diagonal is, and how wide the band around it.\n\n"
        "**With your videos:** replace a sampler by *Load Video*, *Get Video Components* and *VAE Encode*, and describe in "
        "*Prompt* what the video shows.",
        prompt="a yellow circle moves right on a black background",
        seed=2,
    )
    demo.group("2. Two videos")
    prompts = {"moving": demo.positive, "still": demo.text("a yellow circle stays still on a black background", "Prompt, still")}
    latents = {name: demo.sample(f"Video, {name}", demo.model, prompt) for name, prompt in prompts.items()}
    clips = {name: demo.decode(latent, f"Decode {name}") for name, latent in latents.items()}
    demo.side_by_side(*clips.values(), title="Moving | still", prefix="existing_videos")
    demo.group("3. Trace both")
    seen = {}
    for index, (name, latent) in enumerate(latents.items()):
        traced = demo.add("TA_TraceVideo", f"Trace Video, {name}", model=demo.model, latent=latent, positive=prompts[name])
        similarity = demo.add("TA_FrameSimilarity", f"Frame Similarity, {name}", images=clips[name], frames=9, stretch=False)
        prefix = "other_" * index
        seen |= {f"{prefix}trace": traced[0], f"{prefix}samples": traced[1], f"{prefix}similarity": similarity[0]}
        seen[f"{prefix}name"] = name
    demo.group("4. Comparison")
    chart = demo.add("TA_SimilarityByInterval", **seen)
    demo.recipe.cover = demo.save(chart[0], "Save comparison", "similarity_by_interval").id
    for name, prefix in (("moving", ""), ("still", "other_")):
        traced = {"trace": seen[f"{prefix}trace"], "samples": seen[f"{prefix}samples"]}
        demo.add("TA_FrameAttention", f"Frame Attention, {name}", blocks="0, 2, 5", **traced)
    return demo.recipe


def massive_activations() -> Recipe:
    demo = Demo(
        "What massive activations are for",
        "## What massive activations are for\n"
        "In the paper's video models one channel is far larger than the others. *Activation Probe* zeroes or amplifies them, to "
        "show what they are for.\n\n"
        "**Look at**\n"
        "- The three clips: the baseline, the channel zeroed, the channel amplified.\n"
        "- *Loaded profile*: the profile after saving and loading.\n\n"
        f"This model is too narrow for massive activations, so *channels* is set by hand to {MASSIVE_CHANNEL}, its largest "
        "channel.\n\n"
        "**With your model:** empty *channels*, and the massive channels of the connected *profile* are used. A saved profile "
        "also connects to STAS, so a model has to be measured only once.",
    )
    demo.group("2. Measure, save, load")
    watched = demo.add("TA_MassiveActivations", model=demo.model)
    plain = demo.sample("Baseline", watched[0])
    report = demo.add("TA_MassiveActivationReport", trace=watched[1], samples=plain)
    file = demo.add("TA_SaveMassiveProfile", profile=report[1], name="demo_model")
    loaded = demo.add("TA_LoadMassiveProfile", name=file[0])
    demo.text_view(loaded[1], "Loaded profile")
    demo.group("3. Zero it, amplify it")
    clips = [demo.decode(plain, "Decode baseline")]
    for title, action in (("Zeroed", "zero"), ("Amplified", "amplify")):
        probe = demo.add(
            "TA_ActivationProbe", f"Activation Probe, {action}", model=demo.model, profile=loaded[0], channels=MASSIVE_CHANNEL,
            action=action,
        )  # fmt: skip
        clips.append(demo.decode(demo.sample(title, probe[0]), f"Decode {title.lower()}"))
    demo.group("4. Baseline | zeroed | amplified")
    demo.side_by_side(*clips, title="Baseline | zeroed | amplified", prefix="activation_probe")
    return demo.recipe
