"""Example of Initial Noise Nursing: noise with which a new video changes as a reference does."""

from tools.examples.demo import Demo
from tools.examples.editing import custom_sampling
from tools.examples.recipe import Link, Recipe

SEED, OF_REFERENCE = 6, 8  # alone, the one shows its circle from the first frame on, the other in the second half
GUIDANCE = 1.0  # at more the demo model shows its thing in every frame, whatever the noise is


def noise() -> Recipe:
    demo = Demo(
        "Initial Noise Nursing",
        "## Initial Noise Nursing (experimental)\n"
        "Searches for initial noise with which the model attends between frames as it does in a reference video.\n\n"
        "**Look at**\n"
        "- The clips. Left: the reference, whose circle appears in the second half. Middle: another seed, whose circle is "
        "visible throughout. Right: that seed with the optimised noise, whose circle appears when the reference's does.\n"
        "- *Initial Noise Nursing*: how the search went, and the covariance between frames it found.\n\n"
        "**With your model:** replace the reference by *Load Video*, *Get Video Components* and *VAE Encode*, cut to as many "
        "frames as you want to make. The search takes as long as a few hundred steps. *cfg* is 1 here: above that, this tiny "
        "model shows its thing in every frame.",
        seed=OF_REFERENCE,
        cfg=GUIDANCE,
    )
    demo.group("2. Reference")
    reference = demo.sample("Reference", demo.model)
    demo.group("3. Optimise the noise")
    seed = demo.add("RandomNoise", "Noise", noise_seed=SEED)
    nursed = demo.add(
        "TA_InitialNoiseNursing", model=demo.model, positive=demo.positive, noise=seed[0], latent_image=demo.latent,
        reference=reference,
    )  # fmt: skip
    demo.group("4. Sample without and with it")
    sampler, sigmas = custom_sampling(demo)
    guider = demo.add("CFGGuider", "Guider", model=demo.model, positive=demo.positive, negative=demo.negative, cfg=GUIDANCE)

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
