"""Examples that measure: what blocks are for, and what a node did to a video."""

from tools.examples.demo import Demo
from tools.examples.recipe import Recipe


def perturbation() -> Recipe:
    demo = Demo(
        "What each block is for",
        "## What each block is for\n"
        "Replaces the attention pattern of one block and shows the damage; then does so for all blocks in turn.\n\n"
        "**Look at**\n"
        "- The right clip: *Attention Perturbation* replaces the attention of its *blocks*. Try *uniform*, and other blocks.\n"
        "- *Perturbation Sweep*: how much the prediction changes with each block and both replacements: overall, in structure, "
        "in motion. It costs two predictions per block instead of whole videos.",
    )
    demo.group("2. One block")
    perturbed = demo.add("TA_AttentionPerturbation", model=demo.model, replace_by="identity", blocks="0")
    plain = demo.sample("Baseline", demo.model)
    demo.baseline_and("perturbation", plain, demo.sample("With perturbation", perturbed[0]))
    demo.group("3. All blocks in turn")
    sweep = demo.add(
        "TA_PerturbationSweep", model=demo.model, positive=demo.positive, negative=demo.negative, latent=demo.latent,
        vae=demo.vae, seed=7, cfg=3.0,
    )  # fmt: skip
    demo.text_view(sweep[1], "Sweep as a table")
    return demo.recipe


def measures() -> Recipe:
    demo = Demo(
        "What did a node do to my video",
        "## What did a node do to my video?\n"
        "The same seed without and with a technique, with measures of both clips. TAR is far too strong here, so that there is "
        "something to see: half of the paper's strength, at the paper's sigma.\n\n"
        "**Look at**\n"
        "- *Before and after*: flicker, smoothness, motion, subject and background consistency of each clip, and the "
        "difference.\n"
        "- *Chunk Consistency*: how alike neighbouring frames are; dips at the marked borders are jumps between latent "
        "frames.\n\n"
        "**With your video:** replace TAR by another technique, or the two *VAE Decode* nodes by loaded videos. One seed proves "
        "nothing: try several.",
    )
    demo.group("2. The same seed twice")
    tar = demo.add("TA_TemporalAttentionRegularization", model=demo.model, preset="D1 (paper)", strength=0.5)
    plain, treated = demo.sample("Baseline", demo.model), demo.sample("With TAR", tar[0])
    before, after = demo.baseline_and("TAR", plain, treated)
    demo.group("3. Video Measures")
    measured = demo.add("TA_VideoMeasures", before=before, after=after)
    demo.recipe.cover = measured.id
    demo.text_view(measured[0], "Before and after")
    demo.group("4. Chunk Consistency")
    for name, images, samples in (("before", before, plain), ("after", after, treated)):
        chunks = demo.add("TA_ChunkConsistency", f"Chunk Consistency {name}", images=images, samples=samples)
        demo.text_view(chunks[0], f"Chunks {name}")
    return demo.recipe


def dynamics_transfer() -> Recipe:
    demo = Demo(
        "Dynamics of a reference video",
        "## Dynamics of a reference video\n"
        "*Frame Similarity* measures how alike the frames of a reference are; with that matrix TAR makes another clip change "
        "when the reference does.\n\n"
        "**Look at**\n"
        "- *Frame Similarity*: bright where two frames of the reference are alike.\n"
        "- *Regularization Matrix*: the same matrix as TAR adds it to the attention.\n"
        "- The three clips: the last one follows the reference's rhythm, not its content.\n\n"
        "**With your model:** replace the reference by *Load Video* and *Get Video Components*.",
        prompt="a blue square stays still on a gray background",
    )
    demo.group("2. Reference")
    moving = demo.text("a yellow circle moves right on a black background", "Reference prompt")
    reference = demo.decode(demo.sample("Reference", demo.model, moving), "Decode reference")
    similarity = demo.add("TA_FrameSimilarity", images=reference, frames=9)
    demo.group("3. Another clip with its dynamics")
    tar = demo.add("TA_TemporalAttentionRegularization", model=demo.model, strength=0.5, similarity=similarity[0])
    demo.add("TA_RegularizationMatrix", model=tar[0], frames=9)
    plain, treated = demo.sample("Baseline", demo.model), demo.sample("With dynamics", tar[0])
    clip = demo.decode(treated, "Decode with dynamics")
    demo.side_by_side(
        reference, demo.decode(plain, "Decode baseline"), clip, title="Reference | baseline | with dynamics", prefix="dynamics"
    )
    return demo.recipe
