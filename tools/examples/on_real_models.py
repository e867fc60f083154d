"""Examples on real models: timing, editing, and what happens inside."""

from tools.examples.editing import VIDEO
from tools.examples.more_models import Hunyuan
from tools.examples.real import FILES, FOX, SEED, Real
from tools.examples.recipe import Recipe

KITCHEN = "a sunlit kitchen table with a vase of tulips, a tabby cat sits on the table"


def timed() -> Recipe:
    real = Real(
        "TempoControl on Wan 2.1 1.3B",
        "## TempoControl on Wan 2.1 1.3B\n"
        "The cat should appear after 1.5 seconds.\n\n"
        "**Look at**\n"
        "- The video: when is the cat visible on the left, and when on the right?\n"
        "- *Word attention*: where *cat* draws attention, and its signal against the schedule.\n"
        "- *Tempo Report*: if the correlation does not rise, raise *learning_rate* to 0.001.\n"
        "- If it rises but nothing changes, lower *cfg*: strong guidance brings the cat back into every frame.\n\n"
        "**Cost:** up to 10 iterations before each of the first 7 of 30 steps, each about 4.1 forward passes: some 290 on top of "
        "the 60 of a plain run, so up to six times its time. Gradients also need memory; the log says how much before it starts. "
        "If you run out of memory, lower *length* or the size. The sampler must continue from a changed latent: euler does, "
        "uni_pc does not."
        f"\n\n{FILES}",
        KITCHEN,
    )
    real.recipe.prompt[real.latent[0]]["inputs"]["length"] = 49
    schedule = real.add("TA_TemporalSchedule", schedule="cat: 0=0, 1.5s=1", fps=real.FPS, frames=49, samples=real.latent)
    prompt = real.add("PrimitiveStringMultiline", "Shared prompt", value=KITCHEN)
    real.recipe.prompt[real.positive[0]]["inputs"]["text"] = prompt[0]
    real.group("3. The same seed twice")
    tempo = real.add("TA_TempoControl", model=real.models[0], clip=real.clip, tempo=schedule[0], prompt=prompt[0])
    plain = real.sample("Baseline", real.models, sampler="euler")
    treated = real.sample("With TempoControl", [tempo[0]], sampler="euler")
    real.group("4. Baseline | with TempoControl")
    _, after = real.baseline_and("TempoControl", plain, treated, "tempo_control")
    real.group("5. Where the word draws attention")
    words = real.add("TA_WordAttention", trace=tempo[1], samples=treated, images=after)
    real.save(words[0], "Word attention", "word_attention")
    real.add("TA_TempoReport", trace=tempo[1], samples=treated)
    return real.recipe


def edited() -> Recipe:
    real = Real(
        "Entropy Edit of a real video on Wan 2.1 1.3B",
        "## Entropy Edit of a real video on Wan 2.1 1.3B\n"
        "The video is turned back into noise (inversion) with a prompt that describes it, then sampled again with the target "
        "prompt and the source's attention.\n\n"
        "**Before you run it:** choose a video in *Load Video*; describe what it shows in *Prompt*, and what it should show in "
        "*Target prompt*. Use the same number of words, and the same words where nothing changes.\n\n"
        "**Look at**\n"
        "- The video: yours on the left, the edit on the right.\n"
        "- If too little changes: lower *share*, or raise *cfg* of *Entropy Edit*. It is low because it applies to the source "
        "too, whose inversion ran at cfg 1: the higher it is, the less of your video is reconstructed.\n"
        "- If the video falls apart: raise *share* or lower *cfg*.\n"
        "- To see what inversion and resampling alone lose, use the same text in both prompts and *cfg* 1: the right video "
        "should then be yours.\n"
        "- *mask*, an optional input of *Entropy Edit*: white where the edit may act.\n\n"
        "The first of the *Sigmas* is removed: at full noise nothing of a video is left.\n\n"
        f"{FILES}",
    )
    real.group("2. The video and its prompts")
    width, height, length = real.SIZE
    parts = real.add("GetVideoComponents", video=real.add("LoadVideo", file=VIDEO)[0])
    real.fps = parts[2]
    short = real.add("ImageFromBatch", f"First {length} frames", image=parts[0], length=length)
    sized = real.add(
        "ImageScale", f"{width} x {height}", image=short[0], upscale_method="lanczos", width=width, height=height, crop="center"
    )
    latent = real.add("VAEEncode", pixels=sized[0], vae=real.vae)
    source = real.text("a red fox walks across a meadow", "Prompt")
    target = real.text("a gray wolf walks across a meadow", "Target prompt")
    negative = real.text("", "Negative prompt")
    real.group("3. Inversion")
    sampler = real.add("KSamplerSelect", "Sampler", sampler_name="euler")
    sigmas = real.add("BasicScheduler", "Sigmas", model=real.models[0], scheduler="simple", steps=50)
    cut = real.add("SplitSigmas", "Without the first sigma", sigmas=sigmas[0], step=1)
    upwards = real.add("FlipSigmas", "Reversed", sigmas=cut[1])
    inverted = real.add(
        "SamplerCustom", "Inversion", model=real.models[0], add_noise=False, noise_seed=0, cfg=1.0, positive=source,
        negative=negative, sampler=sampler[0], sigmas=upwards[0], latent_image=latent[0],
    )  # fmt: skip
    real.group("4. Edit")
    noise = real.add("DisableNoise", "No added noise")
    guider = real.add(
        "TA_EntropyEdit", model=real.models[0], source=source, target=target, negative=negative, cfg=2.0, share=0.5,
        attention="self and cross",
    )  # fmt: skip
    edit = real.add(
        "SamplerCustomAdvanced", "Edit", noise=noise[0], guider=guider[0], sampler=sampler[0], sigmas=cut[1],
        latent_image=inverted[0],
    )  # fmt: skip
    real.group("5. Video | edit")
    real.side_by_side(sized[0], real.decode(edit[0], "Decode the edit"), title="Video | edit", prefix="entropy_edit")
    return real.recipe


def generated_edit() -> Recipe:
    real = Hunyuan(
        "Entropy Edit on HunyuanVideo",
        "## Entropy Edit on HunyuanVideo\n"
        "Source and target are sampled side by side from the same noise; the target takes the source's attention in the blocks "
        "where attention is most structured. Text and video share one attention in this model: the video tokens take the "
        "source's, the text keeps its own.\n\n"
        "**Look at**\n"
        "- The video: source on the left, edit on the right. Do they move alike?\n"
        "- *share*: higher is closer to the source, lower is closer to the target prompt.\n\n"
        "**Prompts:** give both the same number of words (strictly, of tokens), as here: this model also reads the zeros that "
        "pad the shorter one.\n\n"
        f"{Hunyuan.ABOUT}\n\n"
        f"**Cost:** the edit samples a batch of two. {FILES}",
        FOX,
    )
    target = real.text(FOX.replace("a fox", "a rabbit"), "Target prompt")
    real.group("3. Edit")
    sampler = real.add("KSamplerSelect", "Sampler", sampler_name=real.SAMPLER)
    sigmas = real.add("BasicScheduler", "Sigmas", model=real.models[0], scheduler="simple", steps=real.STEPS)
    noise = real.add("RandomNoise", "Noise", noise_seed=SEED)
    guider = real.add(
        "TA_EntropyEdit",
        model=real.models[0],
        source=real.positive,
        target=target,
        negative=real.negative,
        cfg=real.CFG,
        share=0.5,
    )
    edit = real.add(
        "SamplerCustomAdvanced", "Edit", noise=noise[0], guider=guider[0], sampler=sampler[0], sigmas=sigmas[0],
        latent_image=real.latent,
    )  # fmt: skip
    source = real.sample("Source alone", real.models)
    real.group("4. Source | edit")
    clips = real.decode(source, "Decode source"), real.decode(edit[0], "Decode the edit")
    real.side_by_side(*clips, title="Source | edit", prefix="entropy_edit")
    return real.recipe


def inside() -> Recipe:
    real = Real(
        "What happens inside Wan 2.1 1.3B",
        "## What happens inside Wan 2.1 1.3B\n"
        "One ordinary run, recorded. The nodes only observe: the video is bit-identical to one without them.\n\n"
        "**Look at**\n"
        "- *Tension*: red where a block mixes frames too much, blue where it keeps them apart. STH would act there.\n"
        "- *Frame Attention*: how much each frame attends to every other, in four blocks. A bright diagonal: frames attend "
        "mostly to themselves.\n"
        "- *Entropy Profile*: the block with the highest entropy is the one for *Entropy Guidance*.\n"
        "- *Massive activations*: the channels that STAS raises; the published one is 1188 in block 9.\n"
        "- *Word attention*: where *fox* draws attention, frame by frame (*Record only* is *TempoControl* with 0 iterations).\n\n"
        f"**Cost:** a few percent of the sampling time. {FILES}",
        FOX,
    )
    tempo = real.add("TA_TemporalSchedule", schedule="fox", fps=real.FPS, samples=real.latent)
    prompt = real.add("PrimitiveStringMultiline", "Shared prompt", value=FOX)
    real.recipe.prompt[real.positive[0]]["inputs"]["text"] = prompt[0]
    real.group("3. Record")
    words = real.add(
        "TA_TempoControl", "Record only", model=real.models[0], clip=real.clip, tempo=tempo[0], prompt=prompt[0], iterations=0
    )
    massive = real.add("TA_MassiveActivations", model=words[0])
    traced = real.add("TA_TraceAttention", model=massive[0])
    samples = real.sample("Sample", [traced[0]], sampler="euler")
    frames = real.decode(samples, "Decode")
    real.save(frames, "The video", "watched")
    seen = {"trace": traced[1], "samples": samples}
    real.group("4. Attention between frames")
    real.text_view(real.add("TA_TraceInfo", **seen)[0], "Report")
    real.add("TA_TensionHeatmap", "Tension", **seen)
    real.add("TA_FrameAttention", blocks="0, 10, 20, 29", **seen)
    real.group("5. Blocks and channels")
    real.text_view(real.add("TA_EntropyProfile", **seen)[2], "Entropy table")
    activations = {"trace": massive[1], "samples": samples}
    real.text_view(real.add("TA_MassiveActivationReport", **activations)[0], "Massive activations")
    real.add("TA_MassiveActivationChart", "Channels over tokens", **activations)
    real.group("6. Words")
    shown = real.add("TA_WordAttention", trace=words[1], samples=samples, images=frames)
    real.save(shown[0], "Word attention", "word_attention")
    return real.recipe
