"""Training the demo network: a step learns, what is saved can be gone on from, and the released file is what the pack loads."""

import comfy.ldm.wan.model
import comfy.model_management
import pytest
import torch
from safetensors.torch import load_file

from pack.py.demo import weights
from tools import train_demo


@pytest.fixture(autouse=True)
def inference_mode():
    """Training needs gradients, unlike nodes."""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    monkeypatch.setattr(comfy.model_management, "in_training", True)
    monkeypatch.setattr(comfy.ldm.wan.model, "optimized_attention", train_demo.small_attention)
    monkeypatch.setattr(train_demo, "CHECKPOINT", tmp_path / "demo.safetensors")


def settings(**changes):
    usual = {"minutes": 1.0, "batch": 4, "learning_rate": 2e-3, "pool": 8, "fresh": 1, "two_things": 0.5, "seed": 0}
    return train_demo.Settings(**(usual | {"compile": False, "from_scratch": False} | changes))


def test_small_attention_is_attention():
    q, k, v = (torch.randn(2, length, 12) for length in (5, 7, 7))
    heads = (x.unflatten(-1, (3, 4)).transpose(1, 2) for x in (q, k, v))
    expected = torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    torch.testing.assert_close(train_demo.small_attention(q, k, v, 3), expected)


def test_the_released_weights_fit_better_than_random_ones():
    losses = []
    for from_scratch in (False, True):
        trainer = train_demo.Trainer(settings(from_scratch=from_scratch, batch=8))
        torch.manual_seed(1)
        with torch.no_grad():
            losses.append(float(trainer.loss(*trainer.pool.batch(8))))
    assert losses[0] < 0.6 * losses[1]


def test_steps_change_the_weights_and_training_goes_on_from_what_was_saved():
    trainer = train_demo.Trainer(settings())
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    assert all(torch.isfinite(trainer.step(0.5)) for _ in range(2))
    assert all(not torch.equal(value, before[name]) for name, value in trainer.network.state_dict().items() if "weight" in name)
    trainer.save(train_demo.CHECKPOINT)
    resumed = train_demo.Trainer(settings())
    assert all(torch.equal(value, trainer.average[name]) for name, value in resumed.network.state_dict().items())


def test_a_release_is_the_checkpoint_in_float16(monkeypatch, tmp_path):
    trainer = train_demo.Trainer(settings(from_scratch=True))
    trainer.save(train_demo.CHECKPOINT)
    monkeypatch.setattr(weights, "FILE", tmp_path / "released.safetensors")
    train_demo.release()
    assert all(value.dtype == torch.float16 for value in load_file(weights.FILE).values())
    for name, value in weights.weights().items():
        torch.testing.assert_close(value, trainer.average[name], atol=1e-3, rtol=1e-3)


def test_the_learning_rate_rises_then_falls():
    rates = [train_demo.rate_at(share, step) for share, step in ((0.0, 0), (0.01, 400), (0.5, 9000), (0.75, 12000), (1.0, 20000))]
    assert rates[0] < 0.01 and rates[1] == rates[2] == 1 and rates[3] == pytest.approx(0.5) and rates[4] == 0.02
