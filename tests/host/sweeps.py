"""What tests of entropies and sweeps share: three networks that differ in their attention, and what a sweep is given."""

import pytest
import torch
from families import conditioning, empty_latent, tiny_networks

NETWORKS = tiny_networks()
THREE = ("wan_t2v", "svd", "hunyuan_video_t2v")


@pytest.fixture(scope="module", params=THREE)
def subject(request):
    """(tiny network, loaded MODEL)."""
    with torch.inference_mode():
        return NETWORKS[request.param], NETWORKS[request.param].load()


def sweep_inputs(tiny, **more):
    latent = {"samples": empty_latent(tiny, tiny.latent)}
    prompts = {"positive": conditioning(tiny, 1), "negative": conditioning(tiny, 2)}
    return {**prompts, "latent": latent, "steps": 4, "seed": 0, **more}
