"""Examples that study what happens inside: many videos at once, videos that exist, and massive activations."""

from tools.examples.demo import Demo
from tools.examples.recipe import Recipe
from tools.examples.techniques import MASSIVE_CHANNEL


def many_videos() -> Recipe:
    demo = Demo(
        "Spectral Tension of many videos",
        "## Spectral Tension of many videos\n"
        "Six videos at once, without and with STH, from the same noise, and what the technique did to them all.\n\n"
        "**Look at**\n"
        "- *Statistics*: one video is one unit; how many of the six improved, by how much, and how sure that is.\n"
        "- *Tension Dashboard*: the mean over the videos, block by block and step by step.\n"
        "- *Figure A* and *Figure C*: each call, and each video.\n"
        "- *Save Trace* keeps a run as a file, *Load Trace* reads it again, here or another day, without its latent.\n\n"
        "**More videos:** queue it for other seeds and prompts, saved as `plain` and `sth`; then *Trace Set* with `sth_*` and "
        "`plain_*` gathers them all.",
        videos=6,
    )
    demo.group("2. Six videos, twice")
    sth = demo.add("TA_SpectralTransportHomeostasis", model=demo.model, tau=1.0, layer_weight="flat", step_weight="flat")
    watched = {"entropy_rows": 0}
    plain_trace = demo.add("TA_TraceAttention", "Trace baseline", model=demo.model, **watched)
    trace = demo.add("TA_TraceAttention", "Trace STH", model=sth[0], **watched)
    plain, treated = demo.sample("Baseline", plain_trace[0]), demo.sample("With STH", trace[0])
    demo.group("3. Gather and count")
    gathered = demo.add("TA_TraceSet", trace=trace[1], samples=treated, baseline=plain_trace[1], baseline_samples=plain)
    demo.text_view(demo.add("TA_TensionStatistics", trace=gathered[0])[0], "Statistics")
    dashboard = demo.add("TA_TensionDashboard", trace=gathered[0])
    shown = demo.save(dashboard[0], "Save dashboard", "tension_dashboard")
    demo.recipe.cover = shown.id
    demo.group("4. Figures")
    demo.add("TA_TensionPlots", "Figure A", trace=gathered[0])
    demo.add("TA_TensionPlots", "Figure C", trace=gathered[0], figure="C: each video")
    demo.group("5. Keep a run")
    file = demo.add("TA_SaveTrace", trace=trace[1], samples=treated, name="sth")
    loaded = demo.add("TA_LoadTrace", name=file[0])
    demo.text_view(loaded[1], "What was read")
    demo.add("TA_TensionHeatmap", "Tension of the loaded run", trace=loaded[0])
    return demo.recipe


def existing_videos() -> Recipe:
    demo = Demo(
        "Attention of videos that exist",
        "## Attention of videos that exist\n"
        "*Trace Video* adds noise to the latent of a video, lets the model predict once, and records how frames attend to each "
        "other: so filmed videos can be compared with generated ones (Fig. 3 of VSTAR).\n\n"
        "**Look at**\n"
        "- *Similarity by Interval*: against how far apart two frames are. The similarity of the moving clip falls, that of the "
        "still one stays up; above it, how much such frames attend to each other.\n"
        "- *Frame Attention* of both: how bright the diagonal is, and how wide the band around it.\n\n"
        "**With your videos:** put *Load Video*, *Get Video Components* and *VAE Encode* in place of a sampler, and say in "
        "*Prompt* what the video shows.",
        prompt="a yellow circle moves right on a black background",
        seed=2,
    )
    demo.group("2. Two videos")
    prompts = {"moving": demo.positive, "still": demo.text("a yellow circle stays still on a black background", "Prompt, still")}
    latents = {name: demo.sample(f"Video, {name}", demo.model, prompt) for name, prompt in prompts.items()}
    clips = {name: demo.decode(latent, f"Decode {name}") for name, latent in latents.items()}
    demo.side_by_side(*clips.values(), title="Moving | still", prefix="existing_videos")
    demo.group("3. What the model sees in them")
    seen = {}
    for index, (name, latent) in enumerate(latents.items()):
        traced = demo.add("TA_TraceVideo", f"Trace Video, {name}", model=demo.model, latent=latent, positive=prompts[name])
        similarity = demo.add("TA_FrameSimilarity", f"Frame Similarity, {name}", images=clips[name], frames=9, stretch=False)
        prefix = "other_" * index
        seen |= {f"{prefix}trace": traced[0], f"{prefix}samples": traced[1], f"{prefix}similarity": similarity[0]}
        seen[f"{prefix}name"] = name
    demo.group("4. Compared")
    chart = demo.add("TA_SimilarityByInterval", **seen)
    demo.recipe.cover = demo.save(chart[0], "Save the comparison", "similarity_by_interval").id
    for name, prefix in (("moving", ""), ("still", "other_")):
        traced = {"trace": seen[f"{prefix}trace"], "samples": seen[f"{prefix}samples"]}
        demo.add("TA_FrameAttention", f"Frame Attention, {name}", blocks="0, 2, 5", **traced)
    return demo.recipe


def massive_activations() -> Recipe:
    demo = Demo(
        "What massive activations are for",
        "## What massive activations are for\n"
        "A few channels stand out by far in every video model. *Activation Probe* takes them away or makes them larger, to see "
        "what they carry.\n\n"
        "**Look at**\n"
        "- The three clips: as it is, without the channel, with the channel made larger.\n"
        "- *What was measured*: the profile that was saved and read again.\n\n"
        f"This model is too narrow for massive activations, so channel {MASSIVE_CHANNEL}, which stands out most, is typed into "
        "*channels*. **With your model** empty *channels* and connect the profile: its massive channels are taken. A saved "
        "profile also plugs into STAS, so a model has to be measured only once.",
    )
    demo.group("2. Measure, keep, read again")
    watched = demo.add("TA_MassiveActivations", model=demo.model)
    plain = demo.sample("Baseline", watched[0])
    report = demo.add("TA_MassiveActivationReport", trace=watched[1], samples=plain)
    file = demo.add("TA_SaveMassiveProfile", profile=report[1], name="demo_model")
    loaded = demo.add("TA_LoadMassiveProfile", name=file[0])
    demo.text_view(loaded[1], "What was measured")
    demo.group("3. Without it, and with more of it")
    clips = [demo.decode(plain, "Decode baseline")]
    for title, action in (("Without", "zero"), ("With more", "amplify")):
        probe = demo.add(
            "TA_ActivationProbe", f"{title} of the channel" if action == "amplify" else f"{title} the channel", model=demo.model,
            profile=loaded[0], channels=MASSIVE_CHANNEL, action=action,
        )  # fmt: skip
        clips.append(demo.decode(demo.sample(title, probe[0]), f"Decode {title.lower()}"))
    demo.group("4. Baseline | without | with more")
    demo.side_by_side(*clips, title="Baseline | without | with more", prefix="activation_probe")
    return demo.recipe
