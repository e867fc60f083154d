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
        "The cat comes after one and a half seconds.\n\n"
        "**Look at**\n"
        "- The video: when is the cat there, on the left and on the right?\n"
        "- *Word Attention*: where *cat* draws attention, and its signal against the schedule.\n"
        "- *Tempo Report*: if the correlation does not rise, raise *learning_rate* to 0.001.\n"
        "- It rises and nothing changes: lower *cfg*. Strong guidance brings the cat back into every frame.\n\n"
        "**Cost:** up to 10 iterations before each of the first 7 of 30 steps, each about 4.1 forwards: some 290 beside the 60 "
        "of a plain run, so up to six times its time. And memory for gradients: the log says how much before it starts. Out of "
        "memory: a smaller *length* or size. The sampler has to go on from a changed latent: euler does, uni_pc does not."
        f"\n\n{FILES}",
        KITCHEN,
    )
    real.recipe.prompt[real.latent[0]]["inputs"]["length"] = 49
    schedule = real.add("TA_TemporalSchedule", schedule="cat: 0=0, 1.5s=1", fps=real.FPS, frames=49, samples=real.latent)
    prompt = real.add("PrimitiveStringMultiline", "One text for both", value=KITCHEN)
    real.recipe.prompt[real.positive[0]]["inputs"]["text"] = prompt[0]
    real.group("3. The same seed twice")
    tempo = real.add("TA_TempoControl", model=real.models[0], clip=real.clip, tempo=schedule[0], prompt=prompt[0])
    plain = real.sample("Baseline", real.models, sampler="euler")
    treated = real.sample("With TempoControl", [tempo[0]], sampler="euler")
    real.group("4. Baseline | with TempoControl")
    _, after = real.baseline_and("TempoControl", plain, treated, "tempo_control")
    real.group("5. Where the word looks")
    words = real.add("TA_WordAttention", trace=tempo[1], samples=treated, images=after)
    real.save(words[0], "Word attention", "word_attention")
    real.add("TA_TempoReport", trace=tempo[1], samples=treated)
    return real.recipe


def edited() -> Recipe:
    real = Real(
        "Entropy Edit of a real video on Wan 2.1 1.3B",
        "## Entropy Edit of a real video on Wan 2.1 1.3B\n"
        "The video is turned back into noise (inversion) with a prompt that says what it shows, then sampled again with the "
        "target's prompt and the source's attention.\n\n"
        "**Before you run it:** choose a video in *Load Video*; say in *Prompt* what it shows and in *Prompt of the target* what "
        "it shall show, in as many words, the same ones where nothing changes.\n\n"
        "**Look at**\n"
        "- The video: yours on the left, the edit on the right.\n"
        "- Too little changes: lower *share*, or raise *cfg* of *Entropy Edit*. Its *cfg* is low because it holds for the "
        "source, too, whose way to noise had 1: the higher, the less of your video comes back.\n"
        "- It falls apart: raise *share*, lower *cfg*.\n"
        "- What does the way there and back cost? With the same text in both prompts and *cfg* 1 the right one should be yours.\n"
        "- *mask* is an optional input of *Entropy Edit*: white says where the edit may act.\n\n"
        "*Sigmas* are cut after the first step: at full noise nothing of a video is left.\n\n"
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
    target = real.text("a gray wolf walks across a meadow", "Prompt of the target")
    negative = real.text("", "Negative prompt")
    real.group("3. Back to noise")
    sampler = real.add("KSamplerSelect", "Sampler", sampler_name="euler")
    sigmas = real.add("BasicScheduler", "Sigmas", model=real.models[0], scheduler="simple", steps=50)
    cut = real.add("SplitSigmas", "Without the first", sigmas=sigmas[0], step=1)
    upwards = real.add("FlipSigmas", "Upwards", sigmas=cut[1])
    inverted = real.add(
        "SamplerCustom", "Inversion", model=real.models[0], add_noise=False, noise_seed=0, cfg=1.0, positive=source,
        negative=negative, sampler=sampler[0], sigmas=upwards[0], latent_image=latent[0],
    )  # fmt: skip
    real.group("4. Edit")
    noise = real.add("DisableNoise", "No noise: the video has its own")
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
        "where attention is most structured. Here text and video share one attention: the video takes the source's, the text "
        "keeps its own.\n\n"
        "**Look at**\n"
        "- The video: source on the left, edit on the right. Do they move alike?\n"
        "- Raise *share* towards 1: closer to the source. Lower it: closer to the target's prompt.\n\n"
        "**Prompts:** give both the same number of words, strictly of tokens, as here. This model reads the zeros with which the "
        "shorter one is filled up.\n\n"
        f"{Hunyuan.ABOUT}\n\n"
        f"**Cost:** the edit samples a batch of two. {FILES}",
        FOX,
    )
    target = real.text(FOX.replace("a fox", "a rabbit"), "Prompt of the target")
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
        "One ordinary run, watched. Nothing is changed: the video is bit-identical to one without these nodes.\n\n"
        "**Look at**\n"
        "- *Tension*: red where a block mixes its frames too much, blue where it keeps them apart. STH would work there.\n"
        "- *Frame Attention*: who looks at whom, in four blocks. A bright diagonal: each frame sees itself.\n"
        "- *Entropy Profile*: the block of highest entropy is the one for *Entropy Guidance*.\n"
        "- *Massive activations*: the channels that STAS lifts; 1188 of block 9 is the published one.\n"
        "- *Word Attention*: where *fox* draws attention, frame by frame (*TempoControl* with 0 iterations only records).\n\n"
        f"**Cost:** some percent of the sampling time. {FILES}",
        FOX,
    )
    tempo = real.add("TA_TemporalSchedule", schedule="fox", fps=real.FPS, samples=real.latent)
    prompt = real.add("PrimitiveStringMultiline", "One text for both", value=FOX)
    real.recipe.prompt[real.positive[0]]["inputs"]["text"] = prompt[0]
    real.group("3. Watch")
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
    real.text_view(real.add("TA_EntropyProfile", **seen)[2], "Entropies")
    activations = {"trace": massive[1], "samples": samples}
    real.text_view(real.add("TA_MassiveActivationReport", **activations)[0], "Massive activations")
    real.add("TA_MassiveActivationChart", "Channels over tokens", **activations)
    real.group("6. Words")
    shown = real.add("TA_WordAttention", trace=words[1], samples=samples, images=frames)
    real.save(shown[0], "Word attention", "word_attention")
    return real.recipe
