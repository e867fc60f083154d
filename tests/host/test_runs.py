"""Every way in which people run a sampler: batches, guidance, second-order samplers, split runs, context windows, caches."""

import gc
from dataclasses import replace

import comfy.sample
import comfy.samplers
import node_helpers
import pytest
import torch
from families import conditioning, sample, tiny_networks, windowed
from interventions import QueryGain, Watcher
from torch._subclasses.fake_tensor import FakeTensor

from pack.py.core.events import Branch
from pack.py.core.intervention import Where
from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.techniques.estimator import Estimator
from pack.py.techniques.pattern import SQUARE
from pack.py.techniques.record import FrameAttentionRecorder, HeadsKept
from pack.py.techniques.sth import SpectralTransportHomeostasis

COND, UNCOND = Branch.COND, Branch.UNCOND
STH = SpectralTransportHomeostasis(tau=2.0, layer_weight="flat")


def watched(tiny, model, *interventions, **options):
    """(latent, forwards in order) of a run."""
    log = []
    latent = sample(tiny, attach(model, *interventions, Watcher(log=log)), **options)
    forwards = list(dict.fromkeys(id(entry[1]) for entry in log))
    by_id = {id(entry[1]): entry[1] for entry in log}
    return latent, [by_id[i] for i in forwards]


def test_cond_and_uncond_in_one_batch_are_told_apart(tiny, model):
    _, forwards = watched(tiny, model, batch=2)
    assert {f.branches for f in forwards} == {(UNCOND, UNCOND, COND, COND)}
    assert {f.samples for f in forwards} == {(0, 1, 0, 1)}


def test_cond_and_uncond_in_separate_calls_give_the_same_video(tiny, model):
    patched = attach(model, STH)
    together = sample(tiny, patched)
    _, forwards = watched(tiny, model, STH, uncond_tokens=5)
    assert [f.branches for f in forwards[:2]] == [(COND,), (UNCOND,)]
    assert torch.isfinite(together).all()


def test_a_sample_does_not_depend_on_its_neighbours_in_the_batch(tiny, model):
    patched = attach(model, STH)
    pair = sample(tiny, patched, batch=2, seed=3)
    generator = torch.manual_seed(3)
    noise = torch.randn(2, *tiny.latent[1:], generator=generator)
    for i in range(2):
        alone = comfy.sample.sample(
            patched, noise[i : i + 1], 3, 4.0, "euler", "simple", conditioning(tiny, 1), conditioning(tiny, 2),
            torch.zeros(tiny.latent), seed=3, disable_pbar=True,
        )  # fmt: skip
        torch.testing.assert_close(pair[i : i + 1], alone, atol=1e-3, rtol=1e-3)


def test_cfg_1_has_no_uncond_and_still_acts(tiny, model):
    latent, forwards = watched(tiny, model, STH, cfg=1.0, steps=4)
    assert {f.branches for f in forwards} == {(COND,)}
    assert not torch.equal(latent, sample(tiny, model, cfg=1.0, steps=4))


def test_an_intervention_on_uncond_at_cfg_1_says_what_is_wrong(tiny, model):
    from pack.py.core.errors import TemporalAttentionError

    with pytest.raises(TemporalAttentionError, match="branch"):
        sample(tiny, attach(model, QueryGain(branch=UNCOND)), cfg=1.0)


@pytest.mark.parametrize("side", [COND, UNCOND], ids=["cond", "uncond"])
def test_a_side_whose_prompt_comes_later_is_waited_for(tiny, model, side):
    late = {"positive" if side is COND else "negative": later(conditioning(tiny, 1 if side is COND else 2))}
    latent = sample(tiny, attach(model, QueryGain(branch=side)), steps=6, **late)
    assert not torch.equal(latent, sample(tiny, model, steps=6, **late))


def later(conds):
    """The conditioning from the third tenth of the run on."""
    return node_helpers.conditioning_set_values(conds, {"start_percent": 0.3, "end_percent": 1.0})


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "dpmpp_2m", "uni_pc", "lcm", "dpmpp_sde"])
def test_steps_and_progress_rise_with_every_sampler(tiny, model, sampler):
    latent, forwards = watched(tiny, model, STH, sampler=sampler, steps=4)
    assert torch.isfinite(latent).all()
    indices = [f.step.index for f in forwards]
    assert indices == sorted(indices) and indices[0] == 0 and indices[-1] < forwards[0].step.total
    sigmas = [f.step.sigma for f in forwards]
    progress = [f.step.progress for f in forwards]
    assert progress[0] < 1e-3
    for (s1, p1), (s2, p2) in zip(zip(sigmas, progress, strict=True), zip(sigmas[1:], progress[1:], strict=True), strict=False):
        assert (s1 > s2) == (p1 < p2)


def test_a_run_split_over_two_samplers_equals_the_whole_run(tiny, model):
    """Schedules follow the noise, not the step count of one sampler (KSamplerAdvanced, Wan 2.2's two models)."""
    patched = attach(model, STH)
    whole = sample(tiny, patched, steps=4)
    first = sample(tiny, patched, steps=4, start_step=0, last_step=2)
    empty = torch.zeros_like(first)
    second = comfy.sample.sample(
        patched, empty, 4, 4.0, "euler", "simple", conditioning(tiny, 1), conditioning(tiny, 2), first, disable_noise=True,
        start_step=2, last_step=4, seed=0, disable_pbar=True,
    )  # fmt: skip
    torch.testing.assert_close(second, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(1, 16, 3, 8, 8), (1, 16, 2, 5, 7), (1, 16, 4, 6, 10)])
def test_odd_sizes(tiny, model, size):
    latent, forwards = watched(tiny, model, STH, latent=size, steps=2)
    grid = forwards[0].grid
    assert (grid.frames, grid.height, grid.width) == (size[2], -(-size[3] // 2), -(-size[4] // 2))
    assert torch.isfinite(latent).all()


def test_a_still_passes_through_and_says_so(tiny, model, caplog):
    one_frame = (1, 16, 1, 8, 8)
    plain = sample(tiny, model, latent=one_frame)
    assert torch.equal(sample(tiny, attach(model, STH), latent=one_frame), plain)
    assert "one latent frame" in caplog.text


def test_context_windows_are_separate_forwards_with_their_own_frames(tiny, model):
    latent, forwards = watched(tiny, windowed(model, 4, 2), STH, latent=(1, 16, 8, 8, 8), steps=2)
    assert torch.isfinite(latent).all()
    assert forwards[0].frames == (0, 1, 2, 3)
    assert all(len(f.frames) == f.grid.frames for f in forwards)
    assert set().union(*(f.frames for f in forwards)) == set(range(8)) and all(f.windowed for f in forwards)


@pytest.mark.parametrize("frames", [3, 8])
def test_context_windows_in_the_picture_see_all_frames(tiny, model, frames):
    """Windows of eight columns, on eight frames too."""
    _, forwards = watched(tiny, windowed(model, 8, 2, axis=4), STH, latent=(1, 16, frames, 8, 16), steps=1)
    assert len(forwards) > 1 and all(f.windowed and f.frames is None and f.whole == frames for f in forwards)


def test_skipped_forwards_of_a_cache_are_no_error(tiny, model):
    from comfy_extras.nodes_easycache import EasyCacheNode

    (cached,) = EasyCacheNode.execute(attach(model, STH), 3.0, 0.1, 0.95, False).args
    assert torch.isfinite(sample(tiny, cached, steps=8)).all()


def split_rows(args, extra):
    """A block patch that runs its rows one by one."""
    rows = []
    for i in range(len(args["img"])):
        part = {name: args[name][i : i + 1] for name in ("img", "txt", "vec")}
        rows.append(extra["original_block"]({**args, **part})["img"])
    return {"img": torch.cat(rows)}


def split_batch(apply_model, args):
    """A model function wrapper that calls the network once a row."""
    context = args["c"].pop("c_crossattn")
    rows = [
        apply_model(args["input"][i : i + 1], args["timestep"][i : i + 1], c_crossattn=context[i : i + 1], **args["c"])
        for i in range(len(context))
    ]
    return torch.cat(rows)


@pytest.mark.parametrize("branch", [None, COND, UNCOND])
def test_rows_that_cannot_be_told_apart_are_left_alone_and_reported(tiny, model, branch, caplog):
    by_block, by_batch = model.clone(), model.clone()
    for i in range(3):
        by_block.set_model_patch_replace(split_rows, "dit", "double_block", i)
    by_batch.set_model_unet_function_wrapper(split_batch)
    for split, said in ((by_block, "1 rows"), (by_batch, "split the batch")):
        caplog.clear()
        plain = sample(tiny, split)
        assert torch.equal(sample(tiny, attach(split, replace(STH, branch=branch))), plain)
        assert said in caplog.text


def test_a_strength_of_0_in_the_chosen_block_is_reported(tiny, model):
    recorder = FrameAttentionRecorder()
    first_block = SpectralTransportHomeostasis(tau=2.0, where=Where(blocks=frozenset({0})))
    latent = sample(tiny, attach(model, first_block, recorder))
    assert "changed none: its strength is 0" in RUNS.find(latent, recorder).trace.report[0]


def test_extra_passes_of_guidance_nodes_are_not_traced_but_acted_on(tiny, model):
    """As core's perturbed-attention and skip-layer guidance ask: the same conditioning once more, after CFG."""

    def guide(args):
        (again,) = comfy.samplers.calc_cond_batch(
            args["model"], [args["cond"]], args["input"], args["sigma"], args["model_options"]
        )
        passes.append(again)
        return args["denoised"]

    passes = []
    guided = model.clone()
    guided.set_model_sampler_post_cfg_function(guide)
    recorder = FrameAttentionRecorder()
    latent = sample(tiny, attach(guided, STH, recorder), sampler="heun")
    assert torch.equal(latent, sample(tiny, attach(model, STH), sampler="heun")) and len(passes) == 5
    records = RUNS.find(latent, recorder).trace.records
    assert len(records) == 5 * 2 * 3, "predictions x branches x blocks"


def test_every_negative_conditioning_is_uncond(tiny, model):
    from comfy_extras.nodes_perpneg import Guider_PerpNeg

    log = []
    guider = Guider_PerpNeg(attach(model, Watcher(log=log)))
    guider.set_conds(*(conditioning(tiny, seed) for seed in range(3)))
    guider.set_cfg(4.0, 1.0)
    noise = comfy.sample.prepare_noise(torch.zeros(tiny.latent), 0)
    guider.sample(
        noise, torch.zeros(tiny.latent), comfy.samplers.sampler_object("euler"), torch.tensor([1.0, 0.5, 0.0]), disable_pbar=True
    )
    assert sorted(b.value for b in log[0][1].branches) == ["cond", "uncond", "uncond"]


def test_two_samplers_on_one_traced_model_are_found_apart(tiny, model):
    recorder = FrameAttentionRecorder()
    traced = attach(model, STH, recorder)
    short, long = sample(tiny, traced, steps=2), sample(tiny, traced, steps=5, seed=1)
    for latent, steps in ((short, 2), (long, 5)):
        found = RUNS.find(latent, recorder)
        assert found.exact and len({r.step.index for r in found.trace.records}) == steps


def test_two_trace_nodes_with_different_estimators_keep_apart(tiny, model):
    one, two = FrameAttentionRecorder(), FrameAttentionRecorder(estimator=Estimator("pooled"))
    latent = sample(tiny, attach(model, one, STH, two))
    first, second = (RUNS.find(latent, recorder).trace.records for recorder in (one, two))
    alone = sample(tiny, attach(model, STH, two))
    expected = RUNS.find(alone, two).trace.records
    assert len(first) == len(second) == len(expected)
    assert all((a.values["h_row"] == b.values["h_row"]).all() for a, b in zip(second, expected, strict=True))
    assert not any((a.values["h_row"] == b.values["h_row"]).all() for a, b in zip(first, second, strict=True))


def test_tension_falls_and_gamma_follows_its_sign(tiny, model):
    from pack.py.records.correction import gamma
    from pack.py.views.quantities import tension

    recorder = FrameAttentionRecorder()
    latent = sample(tiny, attach(model, STH, recorder), steps=6)
    records = RUNS.find(latent, recorder).trace.records
    active = [r for r in records if abs(gamma(r) - 1) > 0.03]
    assert len(active) >= 20
    assert all((gamma(r) > 1) == (tension(r, False) > 0) for r in active)
    assert sum(abs(tension(r, True)) < abs(tension(r, False)) for r in active) >= 0.95 * len(active)


def test_a_run_with_audio_is_found_by_the_latent_that_the_node_gets():
    tiny = tiny_networks()["ltx_2"]
    recorder = FrameAttentionRecorder()
    latent = sample(tiny, attach(tiny.load(), recorder), steps=1, packed=False)
    assert latent.is_nested and RUNS.find(latent, recorder).exact


def test_nothing_but_the_trace_grows_from_one_step_to_the_next(tiny, model):
    """Everything measured leaves the device once a step; on the CPU the trace's arrays lie in one tensor a step."""
    every = Where(kinds=SQUARE | {"cross"})
    recorder = FrameAttentionRecorder(entropy_rows=16, heads=HeadsKept(frozenset({0, 1})), where=every)
    alive = []

    def count(*_):
        gc.collect()
        things = (thing for thing in gc.get_objects() if isinstance(thing, torch.Tensor))
        tensors = [thing for thing in things if not isinstance(thing, FakeTensor)]  # torch.compile keeps some, without data
        alive.append((len(tensors), sum(t.nbytes for t in tensors)))

    latent = sample(tiny, attach(model, STH, recorder), steps=8, callback=count)
    a_step = RUNS.find(latent, recorder).trace.nbytes / 8
    (few, small), (many, large) = alive[1], alive[-1]
    assert many - few <= 6 and large - small <= 6 * a_step, (alive, a_step)
