"""Progress is the host's own percent, the noise level the share of noise, for every kind of noise schedule."""

import comfy.model_sampling as ms
import pytest

from pack.py.core.intervention import Window
from pack.py.host.sigma_schedule import SigmaSchedule


class Config:
    def __init__(self, **settings):
        self.sampling_settings = settings


SAMPLINGS = {
    "flow shift 8 (Wan)": ms.ModelSamplingDiscreteFlow(Config(shift=8.0)),
    "flow shift 1": ms.ModelSamplingDiscreteFlow(Config(shift=1.0)),
    "flux": ms.ModelSamplingFlux(Config(shift=1.15)),
    "discrete (UNet)": ms.ModelSamplingDiscrete(Config()),
    "continuous EDM (SVD)": ms.ModelSamplingContinuousEDM(Config(sigma_min=0.002, sigma_max=700.0)),
    "Cosmos": ms.ModelSamplingCosmosRFlow(Config(sigma_min=0.002, sigma_max=80.0)),
}


@pytest.mark.parametrize("name", SAMPLINGS)
@pytest.mark.parametrize("percent", [0.0, 0.01, 0.2, 0.5, 0.56, 0.9, 0.99])
def test_progress_inverts_percent_to_sigma(name, percent):
    sampling = SAMPLINGS[name]
    sigma = min(float(sampling.percent_to_sigma(percent)), float(sampling.sigma_max))
    assert SigmaSchedule(sampling, [sigma, 0.0]).at(sigma).progress == pytest.approx(
        percent, abs=2e-3 if "discrete" in name else 1e-5
    )


@pytest.mark.parametrize("percent", [0.1, 0.25, 0.5, 0.75])
def test_a_window_that_ends_at_a_step_contains_it(percent):
    sampling = SAMPLINGS["flow shift 8 (Wan)"]
    import torch

    sigma = float(torch.tensor(sampling.percent_to_sigma(percent), dtype=torch.float32))
    step = SigmaSchedule(sampling, [sigma, 0.0]).at(sigma)
    assert Window(0.0, percent).contains(step) and Window(percent, 1.0).contains(step)


def test_steps_between_two_sigmas_belong_to_the_earlier_one():
    schedule = SigmaSchedule(SAMPLINGS["flow shift 1"], [1.0, 0.75, 0.5, 0.25, 0.0])
    assert [schedule.at(s).index for s in (1.0, 0.9, 0.75, 0.6, 0.5, 0.25)] == [0, 0, 1, 1, 2, 3]
    assert schedule.at(0.25).total == 4


@pytest.mark.parametrize("sigma, step", [(0.9, 0), (0.6, 1), (0.3, 2), (0.1, 3)])
def test_the_step_depends_on_the_sigma_alone(sigma, step):
    """dpm_fast and dpm_adaptive hardly ever ask at a sigma of the schedule."""
    falling = [1.0, 0.75, 0.5, 0.25, 0.0]
    assert SigmaSchedule(SAMPLINGS["flow shift 1"], falling).at(sigma).index == step
    assert SigmaSchedule(SAMPLINGS["flow shift 1"], falling[::-1]).at(sigma).index == 3 - step


def test_noise_level():
    flow, edm = (
        SigmaSchedule(SAMPLINGS["flow shift 8 (Wan)"], [1.0, 0.0]),
        SigmaSchedule(SAMPLINGS["continuous EDM (SVD)"], [700.0, 0.0]),
    )
    assert flow.at(0.8).noise == pytest.approx(0.8)
    assert edm.at(700.0).noise == pytest.approx(1.0, abs=1e-5) and edm.at(1.0).noise == pytest.approx(2**-0.5)
