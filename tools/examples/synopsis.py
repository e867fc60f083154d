"""Examples of Video Synopsis Prompting: key prompts by hand, and by a language model."""

from tools.examples.demo import Demo
from tools.examples.real import COMFY, Real, file
from tools.examples.recipe import Recipe

WRITER = f"{COMFY}/Qwen3.5/resolve/main/text_encoders/qwen3.5_4b_bf16.safetensors"


def by_hand() -> Recipe:
    demo = Demo(
        "Video Synopsis Prompt",
        "## Video Synopsis Prompt (VSP)\n"
        "One key prompt per line; each latent frame reads the text for its own moment.\n\n"
        "**Look at**\n"
        "- The clips: on the left only the first line is used, on the right the background follows the key prompts.\n\n"
        "**Change**\n"
        "- *transition*: 0 switches, 1 cross-fades all the way.\n"
        "- Places in front of the lines: `0%: ...`, `70%: ...`, `1s: ...`, `f20: ...`.\n\n"
        "Connect both outputs of the node: another model would average the key prompts.",
        prompt="a red circle moves right on a black background",
    )
    demo.group("2. Key prompts")
    lines = "\n".join(f"a red circle moves right on a {colour} background" for colour in ("black", "gray", "white"))
    vsp = demo.add("TA_VideoSynopsisPrompt", model=demo.model, clip=demo.clip, key_prompts=lines, fps=12.0)
    demo.group("3. The same seed twice")
    plain, treated = demo.sample("First line only", demo.model), demo.sample("With VSP", vsp[0], vsp[1])
    demo.baseline_and("VSP", plain, treated)
    return demo.recipe


def by_language_model() -> Recipe:
    real = Real(
        "Video Synopsis Prompt with a language model",
        "## A language model writes the key prompts\n"
        "*Synopsis Instruction* writes the instruction, *Generate Text* runs a language model on your machine, *Parse Synopsis* "
        "extracts the key prompts from its answer, and *Video Synopsis Prompt* gives each latent frame its text.\n\n"
        "**Look at**\n"
        "- *Answer* and *Parsed key prompts*: if a state is missing, change *seed* in *Generate Text*, or write the lines into "
        "*Parse Synopsis* yourself.\n"
        "- *transition* is long (0.75), which suits gradual changes of season; use a shorter one for things that appear or "
        "vanish.\n\n"
        "**Models:** Wan 2.1 1.3B and Qwen 3.5 4B; the dialog for missing models offers them. Any text encoder that can "
        "generate text works.",
    )
    writer = file("text_encoders", WRITER)
    language = real.add("CLIPLoader", "Language model", models=[writer], clip_name=writer["name"], type="stable_diffusion")
    real.group("2. Synopsis")
    instruction = real.add("TA_SynopsisInstruction", prompt="A landscape turns from winter to spring", states=4, seconds=0.0)
    answer = real.add("TextGenerate", clip=language[0], prompt=instruction[0], max_length=1024)
    real.text_view(answer[0], "Answer")
    parsed = real.add("TA_ParseSynopsis", answer=answer[0])
    real.text_view(parsed[1], "Parsed key prompts")
    real.group("3. Video")
    vsp = real.add("TA_VideoSynopsisPrompt", model=real.models[0], clip=real.clip, key_prompts=parsed[0], transition=0.75)
    real.negative, real.latent = real.text(real.NEGATIVE, "Negative prompt"), real.empty()
    samples = real.sample("Sample", [vsp[0]], vsp[1])
    real.save(real.decode(samples, "Decode"), "The video", "synopsis")
    return real.recipe
