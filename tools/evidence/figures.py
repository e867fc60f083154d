"""Every figure of the diagnostics, drawn from runs of the demo model: the page docs/figures.md."""

from __future__ import annotations

from tools.demo_quality import unseen  # isort: skip  (before every comfy import)

from PIL import Image
from torch import Tensor

from pack.py.core.events import Branch
from pack.py.core.trace import Trace
from pack.py.host.attach import attach
from pack.py.techniques.record import FrameAttentionRecorder, HeadsKept
from pack.py.techniques.sth import SpectralTransportHomeostasis
from pack.py.views.figure import DARK, LIGHT
from pack.py.views.heatmap import layer_step_heatmap
from pack.py.views.matrices import frame_matrices
from pack.py.views.matrix_cells import matrix_cells
from pack.py.views.tension.common import Look
from pack.py.views.tension.d_schedule import schedule
from pack.py.views.tension.plots import PLOTS

from .lab import PAGES, Lab, Page
from .tension_study import CLIPS, TAU, traced, videos

IMAGES = PAGES.parent / "images"
DRAW = {name[0]: draw for name, draw in PLOTS.items()} | {"D": schedule}
TELLS = {
    "A": "What STH did to |T| in its active calls: before against after, and how the reduction grows with depth.",
    "B": "In which direction gamma went: above 1 where frames mix too much (T > 0), below 1 where they are kept apart.",
    "C": "One point per video, without against with STH, for six measures, and whether more videos improved than expected by "
    "chance.",
    "D": "Tension Dashboard: what was measured and set at every block and step, as means over the videos.",
    "E": "How tension and the two entropies are distributed over calls, without and with STH.",
    "F": "The eigenvalues of the density matrix: a steep fall means that few patterns of frames make up the attention.",
    "G": "What share of all active calls improved, and by how much.",
    "H": "Where in the network and the run calls improved; also in the dark theme.",
    "I": "Whether calls with more tension improved more.",
    "J": "Videos ranked by the tension of their baseline, and the effect size in each.",
    "K": "Whether heads agree: the spread of T over the heads of a call, without and with STH.",
    "L": "Whether frames attend forwards as much as backwards, which STH should not change.",
    "M": "Dose and response: improvement against |gamma - 1|, in eight bins of equal size.",
}


def single(lab: Lab) -> Trace:
    """A run of one clip that kept single heads."""
    recorder = FrameAttentionRecorder(heads=HeadsKept(frozenset({0, 5}), frozenset({0, 10, 19})))
    treated = attach(lab.model, SpectralTransportHomeostasis(tau=TAU))
    return traced(lab, treated, [unseen(1, 1, seed=11)[0][1]], range(1), recorder)


def kept(name: str, image: Tensor) -> str:
    """Writes a picture to docs/images; the Markdown that shows it."""
    pixels = (image[0] * 255).round().byte().numpy()
    Image.fromarray(pixels).save(IMAGES / f"{name}.png", optimize=True)
    return f"![{name.replace('_', ' ')}](images/{name}.png)"


def run(lab: Lab) -> None:
    """Writes the page."""
    traces, one = videos(lab), single(lab)
    page = Page("figures", folder=PAGES.parent)
    page.add(
        "# What the diagnostic nodes draw",
        f"All pictures are of the demo model: {CLIPS} unseen prompts, the same noise with Spectral Transport Homeostasis at tau "
        f"{TAU:g} and without; the last three are from one clip. `python dev.py evidence -- figures` makes this page.",
        "## Tension Plots and Tension Dashboard",
        "Figures A to M of the appendix of *Temporal State Transport in Video Generation*. T = H_row - H_vN is the Spectral "
        "Tension of a call: how much more its rows are spread out than its pattern is mixed.",
    )
    for letter, tells in TELLS.items():
        look = Look(DARK if letter == "H" else LIGHT)
        page.add(f"### {letter}", tells, kept(f"tension_{letter.lower()}", DRAW[letter](traces, look)))
    mean = matrix_cells(one, None, {0, 5, 10, 15, 19}, Branch.COND, False)
    heads = matrix_cells(one, {0, 5}, None, Branch.COND, False, {0, 2})
    page.add(
        "## Tension Heatmap",
        "One quantity for every block and step of one run: here T as the model made it.",
        kept("tension_heatmap", layer_step_heatmap(one, "tension before", Branch.COND)),
        "## Frame Attention",
        "How much each latent frame attends to every other, averaged over heads: a bright diagonal means that frames attend "
        "mostly to themselves.",
        kept("frame_attention", frame_matrices(mean, "Frame attention as the model made it")),
        "The same for single heads, which Trace Attention keeps in the chosen blocks and steps.",
        kept("frame_attention_heads", frame_matrices(heads, "Frame attention of single heads as the model made it")),
    )
