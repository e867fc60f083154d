"""Examples of TempoControl: a word that appears when a schedule, or a soundtrack, says so."""

from tools.examples.demo import MOVING, Demo
from tools.examples.editing import VIDEO
from tools.examples.recipe import Link, Node, Recipe

PHRASE, FPS = "red circle", 12.0
SEED = 6  # without the node its circle is there from the first frame on
GUIDANCE = 1.0  # at more the demo model shows its thing in every frame, whatever the latent is
WHY = "*cfg* is 1 here: above that, this tiny model shows its thing in every frame. Use the usual *cfg* on real models."


def by_schedule() -> Recipe:
    demo = Demo(
        "TempoControl",
        "## TempoControl\n"
        "Controls when a word of the prompt appears: in the first steps it changes the latent until the word's attention follows "
        "the schedule.\n\n"
        "**Look at**\n"
        "- The clips: on the left the circle is visible throughout, on the right it appears when the schedule says so.\n"
        "- *Word Attention without* and *with*: where the words draw attention, and below it their signal against the "
        "schedule.\n"
        "- *Tempo Report*: how the attention approached the schedule, iteration by iteration.\n\n"
        "**Change** the line in *Temporal Schedule*: `red circle: 0s=1, 1s=0`.\n\n"
        f"{WHY} *Record only* is the same node with 0 iterations: it changes nothing.",
        seed=SEED,
        cfg=GUIDANCE,
    )
    demo.group("2. Schedule")
    schedule = demo.add("TA_TemporalSchedule", schedule=f"{PHRASE}: 0=0, 17=1", fps=FPS, frames=33, samples=demo.latent)
    plain, treated = _sampled_twice(demo, schedule)
    demo.group("5. Where the words draw attention")
    for name, (tempo, samples, images) in (("without", plain), ("with", treated)):
        seen = demo.add("TA_WordAttention", f"Word Attention {name}", trace=tempo[1], samples=samples, images=images)
        demo.add(
            "SaveAnimatedWEBP", f"Attention {name}", images=seen[0], filename_prefix=f"word_attention_{name}", fps=FPS,
            lossless=False, quality=90,
        )  # fmt: skip
    demo.add("TA_TempoReport", trace=treated[0][1], samples=treated[1])
    return demo.recipe


def by_sound() -> Recipe:
    demo = Demo(
        "TempoControl in time with a sound",
        "## TempoControl in time with a sound\n"
        "*Audio Schedule* finds where sounds begin, and *TempoControl* makes the word appear there.\n\n"
        "**Before you run it:** choose a video with sound in *Load Video*, or replace it by *Load Audio*. A few clear sounds "
        "within the first 2.7 seconds work best.\n\n"
        "**Look at**\n"
        "- *Audio Schedule*: the onset strength over the frames, and the mask made from it.\n"
        "- The clips: on the right the circle appears with the sounds.\n\n"
        f"*lambda_magnitude* (lambda 1 of the paper) is 1, the paper's value for sound. {WHY}",
        seed=SEED,
        cfg=GUIDANCE,
    )
    demo.group("2. Schedule")
    video = demo.add("LoadVideo", file=VIDEO)
    parts = demo.add("GetVideoComponents", video=video[0])
    schedule = demo.add("TA_AudioSchedule", audio=parts[1], phrase=PHRASE, fps=FPS, frames=33, samples=demo.latent)
    _, treated = _sampled_twice(demo, schedule, lambda_magnitude=1.0)
    demo.group("5. Clip with sound")
    clip = demo.add("CreateVideo", images=treated[2], fps=FPS, audio=parts[1])
    demo.add("SaveVideo", "Clip and sound", video=clip[0], filename_prefix="tempo_control_sound")
    demo.add("TA_TempoReport", trace=treated[0][1], samples=treated[1])
    return demo.recipe


def _sampled_twice(demo: Demo, schedule: Node, **settings: float) -> list[tuple[Node, Link, Link]]:
    """(TempoControl, samples, frames) with 0 iterations and with them, and both clips side by side."""
    prompt = demo.add("PrimitiveStringMultiline", "Shared prompt", value=MOVING)
    demo.recipe.prompt[demo.positive[0]]["inputs"]["text"] = prompt[0]
    given = {"model": demo.model, "clip": demo.clip, "tempo": schedule[0], "prompt": prompt[0]}
    demo.group("3. The same seed twice")
    runs = []
    for title, name, changed in (("Record only", "Baseline", {"iterations": 0}), ("TempoControl", "With TempoControl", settings)):
        tempo = demo.add("TA_TempoControl", title, **given, **changed)
        runs.append((tempo, demo.sample(name, tempo[0])))
    demo.group("4. Baseline | with TempoControl")
    clips = demo.baseline_and("TempoControl", *(samples for _, samples in runs))
    return [(*run, clip) for run, clip in zip(runs, clips, strict=True)]
