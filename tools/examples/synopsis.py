"""Examples of Video Synopsis Prompting: key prompts by hand, and by a language model."""

from tools.examples.demo import Demo
from tools.examples.recipe import Recipe

HUB = "https://huggingface.co/Comfy-Org"
WAN = f"{HUB}/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"
WAN_FILES = {
    "diffusion_models": f"{WAN}/diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors",
    "text_encoders": f"{WAN}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
    "vae": f"{WAN}/vae/wan_2.1_vae.safetensors",
}
WRITER = f"{HUB}/Qwen3.5/resolve/main/text_encoders/qwen3.5_4b_bf16.safetensors"
NEGATIVE = "blurry, static, overexposed, subtitles, worst quality, deformed"


def by_hand() -> Recipe:
    demo = Demo(
        "Video Synopsis Prompt",
        "## Video Synopsis Prompt (VSP)\n"
        "One line a state of the video; each latent frame reads the text of its own moment.\n\n"
        "**Look at**\n"
        "- The right clip: the background changes along the key prompts; the left one has the first line alone.\n\n"
        "**Change**\n"
        "- *transition*: 0 switches, 1 cross-fades all the way.\n"
        "- Put places in front of the lines: `0%: ...`, `70%: ...`, `1s: ...`, `f20: ...`.\n\n"
        "Connect both outputs of the node: the key prompts only make sense with its model.",
        prompt="a red circle moves right on a black background",
    )
    demo.group("2. Key prompts")
    lines = "\n".join(f"a red circle moves right on a {colour} background" for colour in ("black", "gray", "white"))
    vsp = demo.add("TA_VideoSynopsisPrompt", model=demo.model, clip=demo.clip, key_prompts=lines, fps=12.0)
    demo.group("3. The same seed twice")
    plain, treated = demo.sample("First line alone", demo.model), demo.sample("With VSP", vsp[0], vsp[1])
    demo.baseline_and("VSP", plain, treated)
    return demo.recipe


def by_language_model() -> Recipe:
    recipe = Recipe(
        "Video Synopsis Prompt with a language model",
        "## A language model writes the key prompts\n"
        "*Synopsis Instruction* says what to write, *Generate Text* asks a language model on your machine, *Parse Synopsis* "
        "reads the answer, *Video Synopsis Prompt* gives each latent frame its text.\n\n"
        "**Look at**\n"
        "- *Answer* and *What was read*: if a state is missing there, change *seed* in *Generate Text*, or write the lines into "
        "*Parse Synopsis* yourself.\n\n"
        "**Models:** Wan 2.1 1.3B and Qwen 3.5 4B; the dialog for missing models offers them. Any text encoder that can "
        "generate will do.",
    )
    recipe.group("1. Models")
    files = {folder: _file(folder, url) for folder, url in WAN_FILES.items()}
    unet = recipe.add("UNETLoader", models=[files["diffusion_models"]], unet_name=files["diffusion_models"]["name"])
    encoder, writer = files["text_encoders"], _file("text_encoders", WRITER)
    clip = recipe.add("CLIPLoader", "Text encoder of the video model", models=[encoder], clip_name=encoder["name"], type="wan")
    vae = recipe.add("VAELoader", models=[files["vae"]], vae_name=files["vae"]["name"])
    language = recipe.add("CLIPLoader", "Language model", models=[writer], clip_name=writer["name"], type="stable_diffusion")
    recipe.group("2. The synopsis")
    instruction = recipe.add("TA_SynopsisInstruction", prompt="A landscape turns from winter to spring", states=4, seconds=0.0)
    answer = recipe.add("TextGenerate", clip=language[0], prompt=instruction[0], max_length=1024)
    recipe.add("PreviewAny", "Answer", source=answer[0])
    parsed = recipe.add("TA_ParseSynopsis", answer=answer[0])
    recipe.add("PreviewAny", "What was read", source=parsed[1])
    recipe.group("3. The video")
    shifted = recipe.add("ModelSamplingSD3", model=unet[0], shift=8.0)
    vsp = recipe.add("TA_VideoSynopsisPrompt", model=shifted[0], clip=clip[0], key_prompts=parsed[0])
    negative = recipe.add("CLIPTextEncode", "Negative prompt", clip=clip[0], text=NEGATIVE)
    latent = recipe.add("EmptyHunyuanLatentVideo", "Empty latent", width=832, height=480, length=81)
    samples = recipe.add(
        "KSampler", model=vsp[0], seed=7, steps=30, cfg=6.0, sampler_name="uni_pc", scheduler="simple", positive=vsp[1],
        negative=negative[0], latent_image=latent[0],
    )  # fmt: skip
    frames = recipe.add("VAEDecode", samples=samples[0], vae=vae[0])
    video = recipe.add("CreateVideo", images=frames[0], fps=16.0)
    recipe.add("SaveVideo", video=video[0], filename_prefix="synopsis")
    return recipe


def _file(folder: str, url: str) -> dict[str, str]:
    return {"name": url.rpartition("/")[2], "url": url, "directory": folder}
