"""Gradients with respect to the latent, in real sampling runs, on every family."""

from contextlib import contextmanager

import comfy.context_windows
import comfy.quant_ops
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY
from families import sample, tiny_networks
from gradients import Tap, in_a_run, loss_of
from interventions import FrameBias

from pack.py.core.errors import TemporalAttentionError
from pack.py.core.intervention import Where, Window
from pack.py.host.attach import attach
from pack.py.host.families import network_of
from pack.py.host.gradients import latent
from pack.py.host.gradients.host_paths import rms_rope_split_half
from pack.py.techniques.stas import StructuredActivationSteering
from pack.py.techniques.sth import SpectralTransportHomeostasis

READ_NO_TEXT = {"svd", "animatediff"}  # as far as their adapters see
NETWORKS = {name: tiny for name, tiny in tiny_networks().items() if name not in READ_NO_TEXT}
STEP = 0.3  # of the differences: the latents have norms of 30 to 200


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def subject(request):
    """(tiny network, loaded MODEL)."""
    with torch.inference_mode():
        return NETWORKS[request.param], NETWORKS[request.param].load()


def difference(loss, x, direction, step):
    """The derivative of loss(x) along a direction, by five points: the error is of the fourth order in the step."""
    values = [loss(x + k * step * direction) for k in (-2, -1, 1, 2)]
    return float(values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)


def compare_with_differences(gradient, x, step=STEP, **settings):
    """Asserts that a gradient's length and its share of a random direction are those of finite differences; returns it."""
    x = x.clone()
    _, found = gradient(x, **settings)
    length = float(found.norm())
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    for direction in (found / length, noise / noise.norm()):
        expected = difference(lambda at: gradient(at, **settings)[0], x, direction, step)
        assert abs(float((found * direction).sum()) - expected) < 1e-4 * length
    assert found.dtype == x.dtype and found.shape == x.shape and length > 0
    return found


def relative(a, b):
    return float((a - b).norm() / b.norm())


def test_equals_finite_differences(monkeypatch, subject):
    in_a_run(monkeypatch, *subject, compare_with_differences)


@contextmanager
def copied_weights(network):
    """In place of Functions for the layers: copies of all weights and of all that is saved, in one graph with everything."""
    stores = [store for module in network.modules() for store in (module._parameters, module._buffers)]
    held = [(store, name, value) for store in stores for name, value in store.items() if value is not None]
    for store, name, value in held:
        own = isinstance(value, torch.nn.Parameter)
        store[name] = torch.nn.Parameter(value.detach().clone(), requires_grad=False) if own else value.clone()
    try:
        with torch.autograd.graph.saved_tensors_hooks(lambda x: x.detach().clone(), lambda x: x):
            yield
    finally:
        for store, name, value in held:
            store[name] = value


def test_equals_one_graph_without_checkpoints_and_with_copied_weights(monkeypatch, subject):
    tiny, model = subject

    def action(gradient, x):
        ours, kept = gradient(), gradient(keep_attention=True)
        with monkeypatch.context() as patch:
            patch.setattr(latent, "Checkpointed", lambda block, *_: block)
            patch.setattr(latent, "differentiable_weights", copied_weights)
            return ours, kept, gradient()

    ours, kept, naive = in_a_run(monkeypatch, tiny, model, action)
    for loss, found in (ours, kept):
        assert float(loss) == pytest.approx(float(naive[0]), rel=1e-6)
        assert relative(found, naive[1]) < 2e-6


def test_the_loss_is_that_of_a_plain_forward(monkeypatch, subject):
    tiny, model = subject
    seen = {}

    class Plain(Tap):
        def digest(self, calls):
            if calls:
                seen.setdefault("loss", loss_of(calls))
            return []

    plain = Plain(video_first=type(network_of(model)).__name__ == "AsymmDiTJoint")
    sample(tiny, attach(model, plain), steps=2, cfg=1.0)
    loss, _ = in_a_run(monkeypatch, tiny, model, lambda gradient, x: gradient(), cfg=1.0)
    assert float(loss) == pytest.approx(float(seen["loss"]), rel=1e-5, abs=1e-6)


def test_the_run_goes_on_as_if_nothing_had_happened(monkeypatch, subject):
    tiny, model = subject
    plain = sample(tiny, model, steps=2)
    weights = {name: value.clone() for name, value in network_of(model).state_dict().items()}
    traces = []

    def action(gradient, x):
        before = x.clone()
        gradient(keep_attention=True), gradient()
        traces.append(torch.equal(x, before))

    in_a_run(monkeypatch, tiny, model, action)
    assert traces == [True], "the latent is left alone"
    monkeypatch.undo()
    assert torch.equal(sample(tiny, model, steps=2), plain)
    assert all(torch.equal(value, weights[name]) for name, value in network_of(model).state_dict().items())


def test_a_network_without_text_is_refused(monkeypatch):
    svd = tiny_networks()["svd"]
    with pytest.raises(TemporalAttentionError, match="Stable Video Diffusion"):
        in_a_run(monkeypatch, svd, svd.load(), lambda gradient, x: gradient(tap=Tap()))


def test_later_blocks_do_not_run_and_do_not_matter(monkeypatch, tiny, model):
    ran = []
    hook = network_of(model).blocks[2].register_forward_hook(lambda *_: ran.append(1))
    first_two = Where(frozenset({"cross"}), frozenset({0, 1}))

    def action(gradient, x):
        early = gradient(tap=Tap(where=first_two))
        assert not ran
        whole = gradient(loss=lambda calls: loss_of([call for call in calls if call.site.block < 2]))
        assert ran
        return early, whole

    (loss, early), (same, whole) = in_a_run(monkeypatch, tiny, model, action)
    hook.remove()
    assert float(loss) == float(same) and relative(early, whole) < 1e-6


@pytest.mark.parametrize(
    "other",
    [
        SpectralTransportHomeostasis(tau=2.0, layer_weight="flat"),
        SpectralTransportHomeostasis(tau=2.0, layer_weight="flat", rule="output gain"),
        StructuredActivationSteering(channels=(0, 3), window=Window(), rule="scaling"),
        FrameBias(),
    ],
    ids=lambda other: getattr(other, "rule", type(other).__name__),
)
@pytest.mark.parametrize("name", ["wan_t2v", "hunyuan_video_t2v"])
@pytest.mark.parametrize("keep", [False, True])
def test_other_interventions_act_in_the_same_forward(monkeypatch, name, other, keep):
    tiny = NETWORKS[name]
    model = tiny.load()
    plain = in_a_run(monkeypatch, tiny, model, lambda gradient, x: gradient())
    found = in_a_run(
        monkeypatch, tiny, model, lambda *args: compare_with_differences(*args, STEP / 3, keep_attention=keep), other
    )
    assert relative(found, plain[1]) > 1e-3


class Unlike:
    """Another pack's attention kernel, with or without a gradient."""

    def __init__(self, differentiable):
        self.differentiable, self.calls = differentiable, 0

    def __call__(self, func, q, k, v, *args, **kwargs):
        self.calls += 1
        out = (
            func(q, k, 2 * v, *args, **kwargs)
            if self.differentiable
            else func(q.detach(), k.detach(), v.detach(), *args, **kwargs)
        )
        return out if self.differentiable else out.detach()


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("differentiable", [True, False])
def test_the_override_of_another_node_is_kept_and_needs_no_gradient(monkeypatch, tiny, model, differentiable, keep):
    other = Unlike(differentiable)
    overridden = model.clone()
    overridden.model_options["transformer_options"]["optimized_attention_override"] = other
    found = in_a_run(monkeypatch, tiny, overridden, lambda *args: compare_with_differences(*args, keep_attention=keep))
    plain = in_a_run(monkeypatch, tiny, model, lambda gradient, x: gradient()[1])
    assert other.calls and (relative(found, plain) > 1e-2) == differentiable


def test_context_windows_are_summed(monkeypatch, tiny, model):
    windowed = model.clone()
    windowed.model_options["context_handler"] = comfy.context_windows.IndexListContextHandler(
        context_schedule=comfy.context_windows.get_matching_context_schedule("standard_static"),
        fuse_method=comfy.context_windows.get_matching_fuse_method("pyramid"),
        context_length=4,
        context_overlap=2,
        dim=2,
    )
    calls = []

    def action(gradient, x):
        gradient(loss=lambda tapped: calls.append(tapped[0].forward.frames) or loss_of(tapped))
        return compare_with_differences(gradient, x)

    in_a_run(monkeypatch, tiny, windowed, action, latent=(1, 16, 6, 8, 8))
    assert len(calls) > 1 and None not in calls


def test_a_controlnet_is_held_constant(monkeypatch, tiny, model):
    """Its own network has no gradient; what it adds still does."""

    class Control:
        asked = 0

        def get_control(self, x, *args):
            assert not x.requires_grad and not torch.is_grad_enabled()
            Control.asked += 1
            return {"input": [x.mean()]}

    held = latent.constant([{"control": Control(), "other": 1}])[0]
    x = torch.ones(2).clone().requires_grad_()
    assert held["other"] == 1 and held["control"].get_control(x)["input"][0] == 1 and Control.asked == 1


def test_the_substitute_equals_the_kernel_of_the_host():
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 5, 2, 16, generator=generator)
    scales = torch.randn(2, 16, generator=generator)
    for width in (0, 8):
        angles = torch.randn(1, 5, 1, (width or 16) // 2, generator=generator)
        turn = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], -1).unflatten(-1, (2, 2))
        for arguments in (
            (q, k, turn, *scales, 1e-6, width),
            (q.bfloat16(), k.bfloat16(), turn, *scales.bfloat16(), 1e-6, width),
        ):
            ours, theirs = rms_rope_split_half(*arguments), comfy.quant_ops.ck.rms_rope_split_half(*arguments)
            for a, b in zip(ours, theirs, strict=True):
                assert a.dtype == b.dtype
                torch.testing.assert_close(a.float(), b.float(), rtol=1e-5, atol=1e-5 if a.dtype == torch.float32 else 4e-2)


def test_small_gradients_survive_a_network_in_float16(monkeypatch, tiny, model):
    """A word's columns in a long video have gradients of this size: unscaled, nine out of ten would be 0."""

    def small(calls):
        return 1e-5 * loss_of(calls)

    half = tiny.load()
    half.set_model_compute_dtype(torch.float16)
    wanted, found = (in_a_run(monkeypatch, tiny, each, lambda g, x: g(loss=small)[1]) for each in (model, half))
    assert torch.nn.functional.cosine_similarity(found.flatten().float(), wanted.flatten().float(), 0) > 0.95


def test_the_compiled_network_of_the_host_gives_way_to_the_plain_one(monkeypatch, tiny, model):
    calls = []
    compiled = model.clone()
    wrapper = lambda executor, *args, **kwargs: calls.append(1) or executor(*args, **kwargs)  # noqa: E731
    compiled.add_wrapper_with_key(WrappersMP.APPLY_MODEL, COMPILE_KEY, wrapper)
    assert in_a_run(monkeypatch, tiny, compiled, lambda gradient, x: gradient() and len(calls)) == 0 and calls


def test_a_network_compiled_by_others_is_refused(monkeypatch, tiny, model):
    block = network_of(model).blocks[1]
    block._orig_mod = None
    with pytest.raises(TemporalAttentionError, match="compiled"):
        in_a_run(monkeypatch, tiny, model, lambda gradient, x: gradient())
    del block._orig_mod


def test_nothing_tapped_is_an_error_that_says_why(monkeypatch, tiny, model):
    nowhere = Tap(where=Where(frozenset({"temporal"})))
    with pytest.raises(TemporalAttentionError, match="temporal"):
        in_a_run(monkeypatch, tiny, model, lambda gradient, x: gradient(tap=nowhere))


def test_what_a_call_for_a_gradient_remarks_is_in_the_report_of_the_run(monkeypatch, tiny, model, caplog):
    scope = latent.ForwardScope
    monkeypatch.setattr(
        latent, "ForwardScope", lambda caller, *given, **named: caller.remark("a call said so") or scope(caller, *given, **named)
    )
    caplog.set_level("INFO", logger="temporal_attention")
    in_a_run(monkeypatch, tiny, model, lambda gradient, x: gradient())
    assert "once a call said so" in caplog.text
