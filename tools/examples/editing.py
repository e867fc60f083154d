"""Examples of Entropy Edit: of a generated video, and of an existing one."""

from tools.examples.demo import CFG, SEED, Demo
from tools.examples.recipe import Link, Recipe

TO_NOISE = 0.7  # share of the noise schedule that the inversion climbs: at its very end nothing of the video would be left
VIDEO = "your_video.mp4"


def custom_sampling(demo: Demo) -> tuple[Link, Link]:
    """A sampler and the sigmas of a whole run."""
    sampler = demo.add("KSamplerSelect", "Sampler", sampler_name="euler")
    sigmas = demo.add("BasicScheduler", "Sigmas", model=demo.model, scheduler="simple", steps=20)
    return sampler[0], sigmas[0]


def generated() -> Recipe:
    demo = Demo(
        "Entropy Edit of a generated video",
        "## Entropy Edit of a generated video\n"
        "Source and target are sampled side by side from the same noise; the target takes the source's attention in the "
        "blocks where attention is most structured.\n\n"
        "**Look at**\n"
        "- The three clips. Left: the source prompt alone. Middle: the target prompt alone, same seed. Right: the edit.\n"
        "- *share*: towards 1 the right clip moves like the left one; at 0 it is the middle one.\n\n"
        "**Prompts:** change as few words as possible.",
    )
    target = demo.text("a blue circle moves left on a white background", "Target prompt")
    demo.group("2. Edit")
    sampler, sigmas = custom_sampling(demo)
    noise = demo.add("RandomNoise", "Noise", noise_seed=SEED)
    guider = demo.add(
        "TA_EntropyEdit", model=demo.model, source=demo.positive, target=target, negative=demo.negative, cfg=CFG, share=1.0
    )
    edit = demo.add(
        "SamplerCustomAdvanced", "Edit", noise=noise[0], guider=guider[0], sampler=sampler, sigmas=sigmas,
        latent_image=demo.latent,
    )  # fmt: skip
    demo.group("3. For comparison: each prompt alone")
    source, alone = demo.sample("Source alone", demo.model), demo.sample("Target alone", demo.model, target)
    clips = [
        demo.decode(samples, f"Decode {name}") for samples, name in ((source, "source"), (alone, "target"), (edit[0], "edit"))
    ]
    demo.group("4. Source | target alone | edit")
    demo.side_by_side(*clips, title="Source | target alone | edit", prefix="entropy_edit")
    return demo.recipe


def real_video() -> Recipe:
    demo = Demo(
        "Entropy Edit of a real video",
        "## Entropy Edit of a real video\n"
        "The video is first turned back into noise (inversion), then sampled again, once with the source prompt and once with "
        "the target prompt.\n\n"
        "**Before you run it:** choose a video in *Load Video*; describe what it shows in *Prompt*, and what it should show in "
        "*Target prompt*. The demo model only knows clips of coloured shapes, 33 frames of 64 x 64: make one in another example, "
        "with *Create Video* and *Save Video*.\n\n"
        "**Look at**\n"
        "- The three clips. Left: your video. Middle: the reconstruction, without an edit. Right: the edit.\n"
        "- If the middle one differs from your video, *Prompt* does not describe it, or there are too few *steps*.\n\n"
        f"The inversion covers {TO_NOISE:.0%} of the noise schedule (*denoise* of *Sigmas*): lower keeps more of the video, "
        "higher allows more change. This way the demo model can change the background; things whose colour or shape is changed "
        "move out of place.",
        empty_latent=False,
    )
    target = demo.text("a red circle moves left on a gray background", "Target prompt")
    demo.group("2. The video")
    video = demo.add("LoadVideo", file=VIDEO)
    images = demo.add("GetVideoComponents", video=video[0])
    short = demo.add("ImageFromBatch", "First 33 frames", image=images[0], length=33)
    small = demo.add("ImageScale", "64 x 64", image=short[0], upscale_method="area", width=64, height=64, crop="center")
    latent = demo.add("VAEEncode", pixels=small[0], vae=demo.vae)
    demo.group("3. Inversion")
    sampler = demo.add("KSamplerSelect", "Sampler", sampler_name="euler")
    sigmas = demo.add("BasicScheduler", "Sigmas", model=demo.model, scheduler="simple", steps=30, denoise=TO_NOISE)
    upwards = demo.add("FlipSigmas", "Reversed", sigmas=sigmas[0])
    inverted = demo.add(
        "SamplerCustom", "Inversion", model=demo.model, add_noise=False, noise_seed=0, cfg=1.0, positive=demo.positive,
        negative=demo.negative, sampler=sampler[0], sigmas=upwards[0], latent_image=latent[0],
    )  # fmt: skip
    demo.group("4. Reconstruct and edit")
    noise = demo.add("DisableNoise", "No added noise")
    clips = []
    for name, goal, cfg in (("unedited", demo.positive, 1.0), ("edit", target, CFG)):
        guider = demo.add(
            "TA_EntropyEdit", f"Guider {name}", model=demo.model, source=demo.positive, target=goal, negative=demo.negative,
            cfg=cfg, share=0.5,
        )  # fmt: skip
        found = demo.add(
            "SamplerCustomAdvanced", name.capitalize(), noise=noise[0], guider=guider[0], sampler=sampler[0], sigmas=sigmas[0],
            latent_image=inverted[0],
        )  # fmt: skip
        clips.append(demo.decode(found[0], f"Decode {name}"))
    demo.group("5. Video | unedited | edit")
    demo.side_by_side(small[0], *clips, title="Video | unedited | edit", prefix="entropy_edit_video")
    return demo.recipe
