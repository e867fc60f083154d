"""The loop of a perturbation sweep: the unchanged run with its entropies, then one run for each item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..py.core.intervention import Where
from ..py.core.store import RUNS
from ..py.host.attach import attach
from ..py.host.families import blocks_of
from ..py.host.preview import clips
from ..py.host.trials import Trials
from ..py.measures.change import Pictured, change
from ..py.measures.sweep import GROUPS, Sweep, items
from ..py.records.entropy_profile import EntropyProfile, main_profile, profiles_of
from ..py.techniques.pattern import PatternEntropy
from ..py.techniques.perturbation import IDENTITY, UNIFORM, AttentionPerturbation
from ..py.techniques.record import FrameAttentionRecorder

ALPHA = {"identity": IDENTITY, "uniform": UNIFORM}


@dataclass(frozen=True)
class Plan:
    """What is perturbed where, whether whole videos are made, and the VAE that decodes them, if any."""

    where: Where
    perturbations: Sequence[str]
    whole: bool
    vae: object | None


def swept(model, plan: Plan, trials: Trials) -> tuple[Sweep, EntropyProfile]:
    """The changes of every item against the unchanged run, and the entropies of that one at the step (whole: at all steps)."""
    run = trials.whole if plan.whole else trials.once
    recorder = FrameAttentionRecorder(entropy_rows=PatternEntropy().rows, where=Where(kinds=plan.where.kinds))
    blocks = plan.where.blocks or range(len(blocks_of(model)))
    trials.expect(1 + (len(blocks) + len(GROUPS)) * len(plan.perturbations))
    latent = run(attach(model, recorder, observed=False))
    trace = RUNS.find(latent, recorder).trace
    profile = main_profile(profiles_of(trace, None if plan.whole else frozenset({trials.recorded_step})))
    unchanged = _pictured(model, latent, plan.vae)
    changes = {}
    for item in items(profile, profile.entropy.keys() & blocks, plan.perturbations):
        where = Where(kinds=plan.where.kinds, blocks=item.blocks)
        perturbed = attach(model, AttentionPerturbation(alpha=ALPHA[item.perturbation], where=where), observed=False)
        changes[item] = change(unchanged, _pictured(model, run(perturbed), plan.vae))
    return Sweep(changes), profile


def _pictured(model, latent, vae) -> Pictured:
    """Energies are those of the latent as the network sees it: some VAEs' latents are not centred."""
    return Pictured(model.get_model_object("latent_format").process_in(latent), clips(model, latent, vae))
