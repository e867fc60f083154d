"""Examples on real models: several techniques in a chain, on each of five."""

from tools.examples.more_models import Hunyuan, Ltx, Wan22Pair, Wan22Small
from tools.examples.real import FILES, Real
from tools.examples.recipe import Link, Recipe

MODELS = (Real, Wan22Small, Wan22Pair, Hunyuan, Ltx)
PUBLISHED = {Real, Wan22Small}  # whose massive channels are known


def stacked(model: type[Real]) -> Recipe:
    with_stas = model in PUBLISHED
    named = "STH, TAR and STAS" if with_stas else "STH and TAR"
    real = model(
        f"Several techniques on {model.NAME}",
        f"## Several techniques on {model.NAME}\n"
        f"The same seed without and with {named}, at their defaults.\n\n"
        "**Look at**\n"
        "- The video: baseline on the left, treated on the right. Does the right one flicker less, keep its subject better, move "
        "more?\n"
        "- *Before and after*: the same in numbers. One seed proves nothing: try several.\n"
        "- *Report*: on how many calls, steps and blocks each technique acted.\n\n"
        "**Change:** bypass a technique (Ctrl+B) to see what it adds to the others. STH: *tau* up to 1. TAR: *strength* below 0 "
        "calms the video, above 1 things begin to jump.\n\n"
        f"{_about(model)}\n\n{FILES} The workflow samples twice; for a quick try lower *length* in *Empty latent*.",
        model.PROMPT,
    )
    treated_models = []
    for one, name in zip(real.models, _names(real), strict=True):
        real.group(f"3. Techniques in a chain{name}")
        treated_models.append(_techniques(real, one, name, with_stas))
        if one is real.models[0]:
            traced = real.add("TA_TraceAttention", f"Trace Attention{name}", model=treated_models[0], entropy_rows=0)
            treated_models[0] = traced[0]
    real.group("4. The same seed twice")
    plain, treated = real.sample("Baseline", real.models), real.sample("With techniques", treated_models)
    seen = getattr(real, "halfway", treated)
    real.group("5. Baseline | with techniques")
    before, after = real.baseline_and("techniques", plain, treated, "several_techniques")
    real.group("6. What changed")
    real.text_view(real.add("TA_TraceInfo", trace=traced[1], samples=seen)[0], "Report")
    real.text_view(real.add("TA_VideoMeasures", before=before, after=after)[0], "Before and after")
    real.add("TA_TensionHeatmap", "Tension reduction", quantity="tension reduction", trace=traced[1], samples=seen)
    return real.recipe


def _names(real: Real) -> tuple[str, ...]:
    return ("",) if len(real.models) == 1 else (", high noise", ", low noise")


def _techniques(real: Real, model: Link, name: str, with_stas: bool) -> Link:
    sth = real.add("TA_SpectralTransportHomeostasis", f"STH{name}", model=model)
    tar = real.add("TA_TemporalAttentionRegularization", f"TAR{name}", model=sth[0])
    return real.add("TA_StructuredActivationSteering", f"STAS{name}", model=tar[0])[0] if with_stas else tar[0]


def _about(model: type[Real]) -> str:
    if model in PUBLISHED:
        stas = "**STAS** recognises the network by its shape and uses the published channels."
    else:
        stas = "**STAS** is left out: no channels are published for this model. Measure them with *Massive Activations* first."
    return "\n\n".join(filter(None, (stas, model.ABOUT)))
