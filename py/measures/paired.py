"""Comparing runs with and without a technique: the sense of each metric, effect sizes, and tests whose unit is the video.

Temporal State Transport in Video Generation (Tang et al.), Table 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, spearmanr, wilcoxon

from ..records.trace_set import Video

FEWEST_VIDEOS = 6
# +1 where the paper calls a rise an improvement, -1 where a fall. For `balance` it names none: + is towards later frames.
BETTER = {
    "|T|": -1,
    "self-retention": 1,
    "effective rank": 1,
    "Gini": 1,
    "cross-frame mass": -1,
    "H_vN": 1,
    "H_row": 1,
    "leading share": -1,
    "head spread": -1,
    "balance": 1,
}


def better_sense(name: str) -> str:
    """Which values of a metric are better: "higher" or "lower" ones."""
    return "higher" if BETTER[name] > 0 else "lower"


@dataclass(frozen=True)
class Comparison:
    """Paired differences of videos, positive = improved: how many improved, of those that changed; size; two-sided p-values.

    `sign_p` (binomial sign test) and `wilcoxon_p` (signed ranks) are None with fewer than 6 videos, or where none changed.
    """

    improved: int
    changed: int
    videos: int
    mean: float
    d: float
    sign_p: float | None
    wilcoxon_p: float | None


def improvement(video: Video, name: str) -> np.ndarray:
    """[n] signed difference of treated and baseline for each call; positive = improved."""
    return BETTER[name] * (video.treated.values[name] - video.baseline.values[name])


def reduction(video: Video) -> np.ndarray:
    """[n] |T| before minus |T| after, within each call of the treated run."""
    return video.calls.before.values["|T|"] - video.calls.after.values["|T|"]


def cohens_d(differences: np.ndarray) -> float:
    """Mean of paired differences over their standard deviation (d_z); NaN for fewer than two, or where they do not vary."""
    if len(differences) < 2:
        return float("nan")
    spread = np.std(differences, ddof=1)
    return float(np.mean(differences) / spread) if spread > 0 else float("nan")


def compared(differences: Sequence[float]) -> Comparison:
    """Tests the differences of n videos, one number each; NaN is left out, and so is 0 from both tests."""
    known = np.asarray(differences, float)
    known = known[np.isfinite(known)]
    improved, changed = int((known > 0).sum()), int((known != 0).sum())
    enough = len(known) >= FEWEST_VIDEOS and changed > 0
    return Comparison(
        improved,
        changed,
        len(known),
        float(known.mean()) if len(known) else float("nan"),
        cohens_d(known),
        float(binomtest(improved, changed).pvalue) if enough else None,
        float(wilcoxon(known[known != 0]).pvalue) if enough else None,
    )


def dose_response(video: Video, threshold: float) -> float:
    """Spearman's rank correlation of |gamma - 1| and the improvement of |T| over the active calls of a video; NaN without any."""
    active = video.active(threshold) & np.isfinite(video.calls.correction)
    dose, effect = video.calls.correction[active], improvement(video, "|T|")[active]
    if len(dose) < 3 or np.ptp(dose) == 0 or np.ptp(effect) == 0:
        return float("nan")
    return float(spearmanr(dose, effect).statistic)
