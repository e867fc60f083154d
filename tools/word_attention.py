"""Does the attention of a word lie on the thing that it names? The area under the ROC curve, block by block.

0.5 is chance, 1 perfect. Each token of a clip (a patch of one latent frame) is a case; it is positive where the thing covers
a third of the patch, so the curve judges space and time together.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.stats import mannwhitneyu

from pack.py.core.attention import Attention
from pack.py.core.events import Branch, Note
from pack.py.core.intervention import Observer, Where
from pack.py.core.store import RUNS
from pack.py.demo import vocabulary
from pack.py.demo.measure import COLOURED, chroma_of
from pack.py.host.attach import attach

COVERED = 1 / 3
NOISE = (0.3, 0.95)  # steps with more noise have no thing yet, those with less no longer ask for the text


@dataclass(frozen=True, kw_only=True)
class WordAttention(Observer):
    """Notes the share of each word in the text attention of each token: words [N, words], averaged over heads."""

    where: Where = field(default_factory=lambda: Where(frozenset({"cross"})))
    branch: Branch | None = Branch.COND

    def seen(self, call: Attention, edited: Attention) -> list[Note]:
        weights = torch.softmax(edited.q @ edited.k.mT * edited.scale, -1).mean(1)
        return [Note("words", call.rows, weights)]


def report(sampler, found: Sequence, seed: int) -> None:
    """Samples the clips' prompts again, watched, and prints the AUC of colour and shape words by block."""
    watching = WordAttention()
    prompts = [one.prompt for one in found]
    latents = sampler.latents(prompts, seed, attach(sampler.model, watching))
    videos, trace = sampler.videos(latents), RUNS.find(latents, watching).trace
    values = defaultdict(list)
    for (row, block), weights in mean_weights(trace).items():
        positive = covered(videos[row])
        words = vocabulary.split_words(prompts[row])
        thing = found[row].asked.things[0]
        for kind, word in (("colour", thing.colours[0]), ("shape", thing.shape)):
            if positive.any() and not positive.all():
                values[kind, block].append(auc(weights[:, words.index(word)], positive))
    print(f"\nWord attention on the thing it names, AUC by block, {len(found)} clips:")
    for kind in ("colour", "shape"):
        print(f"  {kind:<8}" + " ".join(f"{np.mean(values[kind, block]):6.2f}" for block in range(trace.blocks)))


def mean_weights(trace) -> dict[tuple[int, int], np.ndarray]:
    """(sample, block) -> weights [N, words], averaged over the steps in question."""
    gathered = defaultdict(list)
    for record in trace.records:
        if NOISE[0] < record.step.noise < NOISE[1]:
            gathered[record.sample, record.site.block].append(record.values["words"])
    return {key: np.mean(values, axis=0) for key, values in gathered.items()}


def covered(video: torch.Tensor) -> np.ndarray:
    """[N] whether the thing covers a token, for a clip [33, 64, 64, 3]: 9 latent frames of 4 x 4 patches."""
    coloured = (chroma_of(video) > COLOURED).float()
    latent_frames = torch.cat([coloured[:1], coloured[1:].unflatten(0, (8, 4)).mean(1)])
    return (torch.nn.functional.avg_pool2d(latent_frames[:, None], 16).flatten() > COVERED).numpy()


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Chance that a positive case scores higher than a negative one."""
    counts = positive.sum() * (~positive).sum()
    return float(mannwhitneyu(scores[positive], scores[~positive]).statistic / counts)
