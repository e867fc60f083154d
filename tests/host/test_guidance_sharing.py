"""Extra predictions of Entropy Guidance: they share the first blocks, equal full forwards, and cost no needless calls."""

import copy
from contextlib import ExitStack
from unittest.mock import patch

import pytest
import torch
from compare import relative
from families import conditioning, sample, tiny_networks, windowed
from interventions import BlockShift

from pack.py.core.events import Branch, Forward, Grid, Step
from pack.py.core.intervention import Window
from pack.py.host.attach import attach
from pack.py.host.families import adapter_of, blocks_of, network_of
from pack.py.host.prefix import Prefixes
from pack.py.techniques.entropy_guidance import EntropyGuidance

NETWORKS = tiny_networks()
SEPARATE = {"uncond_tokens": 5}  # cond and uncond in calls of their own, as the extra one (unless the host pads their texts)


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def subject(request):
    """(name, tiny network, loaded MODEL, its blocks)."""
    with torch.inference_mode():
        model = NETWORKS[request.param].load()
    return request.param, NETWORKS[request.param], model, blocks_of(model)


@pytest.fixture
def no_sharing(monkeypatch):
    """Every extra prediction runs the whole network."""
    return lambda: monkeypatch.setattr(Prefixes, "resume", lambda *_: False)


@pytest.mark.parametrize("options", [SEPARATE, {}], ids=["same batching", "other batching"])
def test_sharing_the_first_blocks_equals_a_full_forward(subject, no_sharing, options):
    _, tiny, model, blocks = subject
    guided = attach(model, EntropyGuidance(block=len(blocks) - 1, scale=2.0))
    shared = sample(tiny, guided, steps=2, **options)
    no_sharing()
    full = sample(tiny, guided, steps=2, **options)
    assert not torch.equal(shared, sample(tiny, model, steps=2, **options))
    assert torch.equal(shared, full) if options else relative(shared, full) <= 1e-5


def attention_calls(tiny, model, **options):
    """Calls of the attention kernel in a run of one step."""
    counted, model = [], model.clone()

    def count(func, *args, **kwargs):
        counted.append(1)
        return func(*args, **kwargs)

    model.model_options["transformer_options"]["optimized_attention_override"] = count
    sample(tiny, model, steps=1, **options)
    return len(counted)


def test_the_first_blocks_are_not_run_again(subject, no_sharing):
    _, tiny, model, blocks = subject
    if not adapter_of(model).sequential:
        pytest.skip("blocks of a UNet feed later ones: every extra prediction runs the whole network")
    guided = attach(model, EntropyGuidance(block=len(blocks) - 1))
    plain, shared = (attention_calls(tiny, m, **SEPARATE) for m in (model, guided))
    no_sharing()
    full = attention_calls(tiny, guided, **SEPARATE)
    in_first_blocks = sum(len(block.sites) for block in blocks[:-1])
    one = full - plain
    assert plain in (one, 2 * one) and full - shared >= in_first_blocks


def test_nothing_is_left_behind(subject):
    _, tiny, model, blocks = subject
    plain = sample(tiny, model)
    sample(tiny, attach(model, EntropyGuidance(block=1)))
    assert all("forward" not in vars(module) for module in network_of(model).modules())
    assert torch.equal(sample(tiny, model), plain)


@pytest.mark.parametrize(
    "settings", [{"scale": 0.0}, {"window": Window(0.9, 0.91)}, {"rule": "strategy 4"}], ids=["scale 0", "window", "strategy 4"]
)
def test_no_extra_calls(tiny, model, settings):
    assert attention_calls(tiny, attach(model, EntropyGuidance(block=1, **settings))) == attention_calls(tiny, model)


def test_it_stacks(tiny, model, no_sharing):
    """With a second guidance, an edit of blocks and another node's guidance, shared blocks are still those of a full forward."""
    own = EntropyGuidance(rule="strategy 4", block=0)
    both = attach(model, BlockShift(), own, EntropyGuidance(block=2), EntropyGuidance(block=1, rule="U - I", scale=0.3))
    both.set_model_sampler_post_cfg_function(lambda args: 0.9 * args["denoised"])
    shared = sample(tiny, both, **SEPARATE)
    no_sharing()
    assert torch.equal(shared, sample(tiny, both, **SEPARATE))


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "uni_pc", "euler_cfg_pp"])
def test_samplers_that_predict_more_than_once_a_step_share_only_within_a_prediction(tiny, model, no_sharing, sampler):
    guided = attach(model, EntropyGuidance(block=2, scale=2.0))
    shared = sample(tiny, guided, sampler=sampler, **SEPARATE)
    no_sharing()
    assert torch.equal(shared, sample(tiny, guided, sampler=sampler, **SEPARATE))


def test_combined_prompts_share_nothing_and_are_guided(tiny, model, no_sharing):
    guided, combined = attach(model, EntropyGuidance(block=2, scale=2.0)), conditioning(tiny, 1) + conditioning(tiny, 3)
    shared = sample(tiny, guided, positive=combined)
    no_sharing()
    assert relative(shared, sample(tiny, guided, positive=combined)) <= 1e-5
    assert not torch.equal(shared, sample(tiny, model, positive=combined))


def test_what_the_first_blocks_returned_is_not_kept_after_the_run(tiny, model, monkeypatch):
    """It is as large as the latent is wide in the network, and must not wait for the garbage collector."""
    made, init = [], Prefixes.__init__
    monkeypatch.setattr(Prefixes, "__init__", lambda self: made.append(self) or init(self))
    sample(tiny, attach(model, EntropyGuidance(block=2)))
    assert [prefixes._kept for prefixes in made] == [{}]


def test_what_another_copy_of_the_network_kept_is_of_no_use(tiny, model):
    """On several GPUs each has its own."""
    blocks, others = (adapter_of(model).blocks(copy.deepcopy(network_of(model)))[:1] for _ in range(2))
    prefixes, key = Prefixes(), "prompt"
    forward = Forward(Step(0, 1, 1.0, 0.0, 1.0), Grid(3, 4, 4, 48), (Branch.COND,), (0,), conditionings=(key,))
    prefixes.keep(blocks, forward, (0,))
    prefixes._kept[1, key][blocks[0].module] = torch.ones(1, 48, 128)
    with ExitStack() as undo:
        assert prefixes.resume(blocks, forward, undo) and not prefixes.resume(others, forward, undo)


def test_with_context_windows_every_extra_prediction_runs_the_whole_network_and_the_log_says_so(tiny, model, caplog):
    caplog.set_level("INFO", logger="temporal_attention")
    in_windows, latent = windowed(model, 4, 2), (1, 16, 8, 8, 8)
    guided = sample(tiny, attach(in_windows, EntropyGuidance(block=1)), latent=latent, steps=2)
    assert not torch.equal(guided, sample(tiny, in_windows, latent=latent, steps=2))
    assert "ran the whole network" in caplog.text


@pytest.mark.parametrize(
    ("name", "latent", "length", "axis"),
    [("cogvideox_1.5", (1, 16, 22, 4, 4), 8, 2), ("wan_t2v", (1, 16, 3, 8, 16), 8, 4), ("wan_t2v", (1, 16, 3, 8, 16), 7, 4)],
    ids=["joined frames", "columns", "columns of one size"],
)
def test_no_window_goes_on_from_the_blocks_of_another(name, latent, length, axis):
    tiny = tiny_networks()[name]
    guided = windowed(attach(tiny.load(), EntropyGuidance(block=1, scale=2.0)), length, 2, axis)
    shared = sample(tiny, guided, latent=latent, steps=1)
    with patch.object(Prefixes, "resume", lambda *_: False):
        assert torch.equal(sample(tiny, guided, latent=latent, steps=1), shared)
