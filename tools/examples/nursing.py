"""Example of Initial Noise Nursing: noise with which a new video changes as a reference does."""

from tools.examples.demo import CFG, SEED, Demo
from tools.examples.editing import custom_sampling
from tools.examples.recipe import Link, Recipe


def noise() -> Recipe:
    demo = Demo(
        "Initial Noise Nursing",
        "## Initial Noise Nursing (experimental)\n"
        "Looks for initial noise with which the model attends between frames as it does in a reference video.\n\n"
        "**Look at**\n"
        "- The clips: left the reference; middle the prompt alone, which says nothing about motion; right the same seed with the "
        "noise that was found. It moves more, as the reference does, but not in the same direction.\n"
        "- *Initial Noise Nursing*: how the search went, and how alike the noise of any two frames has become.\n\n"
        "**With your model:** *Load Video*, *Get Video Components* and *VAE Encode* in place of the reference, cut to as many "
        "frames as you make. It takes the time of some hundred steps.",
        prompt="a blue square on a gray background",
    )
    demo.group("2. The reference")
    moving = demo.text("a yellow circle moves right on a black background", "Prompt of the reference")
    reference = demo.sample("Reference", demo.model, moving)
    demo.group("3. Noise")
    seed = demo.add("RandomNoise", "Noise", noise_seed=SEED)
    nursed = demo.add(
        "TA_InitialNoiseNursing", model=demo.model, positive=demo.positive, noise=seed[0], latent_image=demo.latent,
        reference=reference,
    )  # fmt: skip
    demo.group("4. The same prompt with both")
    sampler, sigmas = custom_sampling(demo)
    guider = demo.add("CFGGuider", "Guider", model=demo.model, positive=demo.positive, negative=demo.negative, cfg=CFG)

    def sampled(title: str, noise: Link) -> Link:
        return demo.add(
            "SamplerCustomAdvanced",
            title,
            noise=noise,
            guider=guider[0],
            sampler=sampler,
            sigmas=sigmas,
            latent_image=demo.latent,
        )[0]

    videos = (reference, "reference"), (sampled("Baseline", seed[0]), "baseline"), (sampled("Nursed", nursed[0]), "nursed")
    demo.group("5. Reference | baseline | nursed")
    clips = [demo.decode(samples, f"Decode {name}") for samples, name in videos]
    demo.side_by_side(*clips, title="Reference | baseline | nursed", prefix="initial_noise_nursing")
    return demo.recipe
