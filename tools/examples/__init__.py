"""The example workflows as recipes: `python dev.py workflows` has the real frontend make the files from them."""

from tools.examples import diagnosis, editing, synopsis, techniques
from tools.examples.recipe import Recipe

RECIPES = (
    techniques.homeostasis, techniques.steering, techniques.regularization, techniques.entropy_guidance, techniques.stacked,
    synopsis.by_hand, synopsis.by_language_model, editing.generated, editing.real_video, diagnosis.perturbation,
    diagnosis.measures, diagnosis.dynamics_transfer,
)  # fmt: skip


def recipes() -> list[Recipe]:
    """All of them."""
    return [build() for build in RECIPES]
