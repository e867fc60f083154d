"""Examples: one for each technique that changes attention or activations, and one with several of them."""

from tools.examples.demo import Demo
from tools.examples.recipe import Recipe

MASSIVE_CHANNEL = "121"  # the demo model's channel that stands out most


def homeostasis() -> Recipe:
    demo = Demo(
        "Spectral Transport Homeostasis",
        "## Spectral Transport Homeostasis (STH)\n"
        "The same seed without and with STH, on the built-in demo model.\n\n"
        "**Look at**\n"
        "- *Tension before*: red where a block mixes frames too much, blue where it keeps them apart.\n"
        "- *Tension reduction*: how much STH removed. At *tau* 0 it is empty, and both clips are the same.\n"
        "- *Report*: on how many calls, steps and blocks it acted.\n\n"
        "**With your model:** replace *Load Demo Model* by your loader and start at *tau* 0.2.",
    )
    demo.group("2. STH and its trace")
    sth = demo.add("TA_SpectralTransportHomeostasis", model=demo.model, tau=1.0, layer_weight="flat", step_weight="flat")
    traced = demo.add("TA_TraceAttention", model=sth[0])
    demo.group("3. The same seed twice")
    plain, treated = demo.sample("Baseline", demo.model), demo.sample("With STH", traced[0])
    demo.baseline_and("STH", plain, treated)
    demo.group("4. What happened inside")
    seen = {"trace": traced[1], "samples": treated}
    before = demo.add("TA_TensionHeatmap", "Tension before", quantity="tension before", **seen)
    demo.recipe.cover = before.id
    reduction = demo.add("TA_TensionHeatmap", "Tension reduction", quantity="tension reduction", **seen)
    frames = demo.add("TA_FrameAttention", **seen)
    info = demo.add("TA_TraceInfo", **seen)
    demo.save(before[0], "Save tension heatmap", "tension_heatmap")
    demo.save(reduction[0], "Save tension reduction", "tension_reduction")
    demo.save(frames[0], "Save frame attention", "frame_attention")
    demo.text_view(info[0], "Report")
    return demo.recipe


def steering() -> Recipe:
    demo = Demo(
        "Structured Activation Steering",
        "## Structured Activation Steering (STAS)\n"
        "Finds massive activations, then raises them in the first latent frame and at the borders of the later ones.\n\n"
        "**Look at**\n"
        "- *Massive activations*: a table of the channels that stand out, with charts beside it.\n"
        f"- Here they are not massive: this model is too narrow (channel {MASSIVE_CHANNEL} is 14 times larger than the others; "
        "massive means 50 times). So *channels* is set by hand, and the effect is small.\n\n"
        "**With your model:** on Wan 2.1 1.3B, Wan 2.2 5B and CogVideoX-5B nothing has to be measured: empty *channels*, and the "
        "published ones are used. On others empty *channels* and connect *profile* of the report to STAS.",
    )
    demo.group("2. Find massive channels")
    watched = demo.add("TA_MassiveActivations", model=demo.model)
    plain = demo.sample("Baseline", watched[0])
    seen = {"trace": watched[1], "samples": plain}
    report = demo.add("TA_MassiveActivationReport", **seen)
    demo.text_view(report[0], "Massive activations")
    demo.recipe.cover = demo.add("TA_MassiveActivationChart", "Channels over tokens", **seen).id
    demo.add("TA_MassiveActivationChart", "One channel along the tokens", picture="one channel along the tokens", **seen)
    demo.group("3. Steer them")
    stas = demo.add("TA_StructuredActivationSteering", model=demo.model, channels=MASSIVE_CHANNEL)
    demo.text_view(stas[1], "STAS settings")
    treated = demo.sample("With STAS", stas[0])
    demo.baseline_and("STAS", plain, treated)
    return demo.recipe


def regularization() -> Recipe:
    demo = Demo(
        "Temporal Attention Regularization",
        "## Temporal Attention Regularization (TAR)\n"
        "Ties near frames closer together and frees distant ones to differ, so that more happens in the clip. This clip has 41 "
        "frames, a quarter more than any that the model was trained on.\n\n"
        "**Look at**\n"
        "- The two clips: with TAR the square comes in sooner, and so goes further.\n"
        "- *Regularization Matrix*: what TAR adds to the attention between any two latent frames; needs no sampling.\n"
        "- *Frame attention before* and *after*: how much each frame attends to every other.\n"
        "- *What TAR changed*: frames near the diagonal get more attention than in the baseline, distant ones less.\n\n"
        "**Change:** *strength* 0 is bit-identical to the baseline, below 0 calms the video, 2 often makes things jump.",
        prompt="a blue square moves left on a gray background",
        seed=5,
        frames=41,
    )
    demo.group("2. TAR and its trace")
    tar = demo.add("TA_TemporalAttentionRegularization", model=demo.model)
    demo.recipe.cover = demo.add("TA_RegularizationMatrix", model=tar[0], frames=11).id
    demo.text_view(tar[1], "TAR settings")
    traced = demo.add("TA_TraceAttention", "Trace with TAR", model=tar[0])
    untreated = demo.add("TA_TraceAttention", "Trace baseline", model=demo.model)
    demo.group("3. The same seed twice")
    plain, treated = demo.sample("Baseline", untreated[0]), demo.sample("With TAR", traced[0])
    demo.baseline_and("TAR", plain, treated)
    demo.group("4. Attention between frames")
    seen = {"trace": traced[1], "samples": treated, "blocks": "0, 2, 4", "steps": "0, 5, 10"}
    for when in ("before", "after"):
        demo.add("TA_FrameAttention", f"Frame attention {when}", when=when, **seen)
    demo.add("TA_FrameAttention", "What TAR changed", when="after", baseline=untreated[1], baseline_samples=plain, **seen)
    return demo.recipe


def entropy_guidance() -> Recipe:
    demo = Demo(
        "Entropy Guidance",
        "## Entropy Guidance (IE-Adapt)\n"
        "Measures how spread out the attention of each block is, and guides away from what the model predicts when, in the "
        "block with the highest entropy, each token keeps its own value.\n\n"
        "**Look at**\n"
        "- The bars of *Entropy Profile*: the highest one is the block to use; *highest_block* passes its number to *Entropy "
        "Guidance*.\n"
        "- The right clip: at *cfg* 3 almost nothing changes. Set *cfg* of both samplers to 1.5: the thing may then be visible "
        "in more frames. From *scale* 1 on the brightness drifts, 4 overcooks the picture; 0 is the baseline.\n\n"
        "**Without the profile:** leave *block* at -1, and the node measures by itself in the first quarter of the run.",
    )
    demo.group("2. Which block?")
    traced = demo.add("TA_TraceAttention", model=demo.model)
    plain = demo.sample("Baseline", traced[0])
    profile = demo.add("TA_EntropyProfile", trace=traced[1], samples=plain)
    demo.recipe.cover = profile.id
    demo.add("PreviewImage", "Entropy over the steps", images=profile[1])
    demo.text_view(profile[2], "Entropy table")
    demo.group("3. Guide with that block")
    guided = demo.add("TA_EntropyGuidance", model=demo.model, scale=0.5, block=profile[3])
    demo.baseline_and("guidance", plain, demo.sample("With Entropy Guidance", guided[0]))
    return demo.recipe


def stacked() -> Recipe:
    demo = Demo(
        "Several techniques at once",
        "## Several techniques at once\n"
        "Every node outputs a MODEL: connect them in a chain, and they act in that order.\n\n"
        "**Look at**\n"
        "- *Report*: on how many calls, steps and blocks each technique acted, and what was passed through.\n"
        "- Bypass a node (Ctrl+B) and run again to see what it adds to the others.\n\n"
        "**Order:** techniques that change the same attention act one after the other; *Trace Attention* records them all, "
        "wherever it is in the chain.",
    )
    demo.group("2. Techniques in a chain")
    sth = demo.add("TA_SpectralTransportHomeostasis", model=demo.model)
    tar = demo.add("TA_TemporalAttentionRegularization", model=sth[0], strength=0.5)
    stas = demo.add("TA_StructuredActivationSteering", model=tar[0], channels=MASSIVE_CHANNEL)
    guided = demo.add("TA_EntropyGuidance", model=stas[0], scale=0.25)
    traced = demo.add("TA_TraceAttention", model=guided[0])
    demo.group("3. The same seed twice")
    plain, treated = demo.sample("Baseline", demo.model), demo.sample("With all", traced[0])
    demo.baseline_and("all", plain, treated)
    demo.group("4. What happened inside")
    seen = {"trace": traced[1], "samples": treated}
    info = demo.add("TA_TraceInfo", **seen)
    demo.text_view(info[0], "Report")
    demo.add("TA_FrameAttention", "Frame attention after all", when="after", **seen)
    return demo.recipe
