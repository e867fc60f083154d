"""What is known about a sampling run beside its trace: sampler, seed, guidance, size, techniques; all of it as JSON values."""

from __future__ import annotations

import inspect

from ..core.described import described
from ..core.run import Run
from .sampler_state import function_of

LONGEST = 500  # characters of one technique's settings


def run_facts(guider, run: Run, args: tuple, kwargs: dict) -> dict[str, object]:
    """Facts of the run that the host's OUTER_SAMPLE is called for with these arguments."""
    given = inspect.signature(guider.outer_sample).bind(*args, **kwargs).arguments
    return {
        "sampler": function_of(given["sampler"]),
        "seed": given.get("seed"),
        "cfg": getattr(guider, "cfg", None),
        "steps": len(given["sigmas"]) - 1,
        "latent": list(given["noise"].shape),
        "techniques": [described(i)[:LONGEST] for i in run.chain],
    }
