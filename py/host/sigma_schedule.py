"""Where a sampling run is: step index, progress and noise level from the current sigma.

Progress is the inverse of the host's `percent_to_sigma`, so it means what the host's own start and end percents mean,
whatever the sampler, the number of steps, or the part of a schedule that this sampler was given.
"""

from __future__ import annotations

import math

from ..core.events import Step

BISECTIONS = 30
DIGITS = 6  # sigmas come as float32: without rounding a step at exactly 50 % would miss a window that ends there


class SigmaSchedule:
    """The sigmas of one run.

    Args:
        model_sampling: the host's noise schedule of the loaded model.
        sigmas: the sampler's sigmas, one more than steps.
    """

    def __init__(self, model_sampling, sigmas: list[float]):
        self._sampling = model_sampling
        self._sigmas = sigmas
        self._steps: dict[float, Step] = {}

    def at(self, sigma: float) -> Step:
        """The step of a network call at this sigma.

        A call at a sigma of the schedule belongs to that step, also where a second-order sampler asks for it early; a call
        between two of them belongs to the step before.
        """
        if sigma not in self._steps:
            total = max(len(self._sigmas) - 1, 1)
            index = min(self._index(sigma), total - 1)
            self._steps[sigma] = Step(index, total, sigma, self._progress(sigma), self._noise(sigma))
        return self._steps[sigma]

    def steps(self) -> tuple[Step, ...]:
        """All steps of the run."""
        return tuple(map(self.at, self._sigmas[:-1]))

    def _index(self, sigma: float) -> int:
        same = (i for i, s in enumerate(self._sigmas) if math.isclose(s, sigma, rel_tol=1e-4))
        falling = self._sigmas[0] >= self._sigmas[-1]  # not when a video is turned back into noise
        begun = sum(s >= sigma if falling else s <= sigma for s in self._sigmas) - 1
        return next(same, max(begun, 0))

    def _progress(self, sigma: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            if float(self._sampling.percent_to_sigma(middle)) > sigma:
                low = middle
            else:
                high = middle
        return round(high, DIGITS)

    def _noise(self, sigma: float) -> float:
        """Share of noise in the latent's standard deviation: sigma itself for flow models, whose sigma ends at 1."""
        if float(self._sampling.percent_to_sigma(0.0)) <= 1.0:
            return min(sigma, 1.0)
        return sigma / math.sqrt(1 + sigma**2)
