"""The example workflows as recipes: `python dev.py workflows` has the real frontend make the files from them."""

from tools.examples import diagnosis, editing, nursing, on_real_models, stacks, studies, synopsis, techniques, timing
from tools.examples.recipe import Recipe

RECIPES = (
    techniques.homeostasis, techniques.steering, techniques.regularization, techniques.entropy_guidance, techniques.stacked,
    synopsis.by_hand, synopsis.by_language_model, editing.generated, editing.real_video, diagnosis.perturbation,
    diagnosis.measures, diagnosis.dynamics_transfer, nursing.noise, timing.by_schedule, timing.by_sound, studies.many_videos,
    studies.existing_videos, studies.massive_activations, on_real_models.timed, on_real_models.edited,
    on_real_models.generated_edit, on_real_models.inside,
)  # fmt: skip


def recipes() -> list[Recipe]:
    """All of them."""
    return [build() for build in RECIPES] + [stacks.stacked(model) for model in stacks.MODELS]
