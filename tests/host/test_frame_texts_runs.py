"""Runs with key prompts: both sides, batches and context windows, where the prompts lie in the video, and what is refused."""

import comfy.sample
import pytest
import torch
from comfy.ldm.modules.attention import optimized_attention
from compare import relative
from families import conditioning, sample, tiny_networks, windowed
from interventions import Watcher
from synopses import LENGTH, Clip, synopsis
from test_runs import split_batch

from pack.nodes.video_synopsis_prompt import VideoSynopsisPromptNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.host.attach import attach
from pack.py.host.key_texts import KEY
from pack.py.maths.text_mixture import mixture
from pack.py.prompts.key_places import Placement
from pack.py.prompts.key_prompts import parse_key_prompts
from pack.py.techniques.vsp import VideoSynopsisPrompting

NETWORKS = tiny_networks()


@pytest.mark.parametrize("uncond_tokens", [LENGTH, 5], ids=["batched", "separate"])
def test_the_negative_prompt_is_untouched(tiny, model, uncond_tokens):
    seen = []
    for subject, positive in ((model, None), (attach(model, VideoSynopsisPrompting()), synopsis(tiny, [1, 5]))):
        watched = subject.clone()
        watched.set_model_sampler_post_cfg_function(lambda args: seen.append(args) or args["denoised"])
        sample(tiny, watched, steps=1, uncond_tokens=uncond_tokens, positive=positive)
    plain, given = seen
    assert torch.equal(given["uncond_denoised"], plain["uncond_denoised"])
    assert not torch.equal(given["cond_denoised"], plain["cond_denoised"])


def test_key_prompts_of_different_lengths_are_padded(tiny, model):
    """A longer text is what the host would make of a shorter one by padding it with zeros."""
    padded = synopsis(tiny, [1, 5])
    padded[1][0] = torch.cat([padded[1][0][:, :4], torch.zeros(1, 3, tiny.text_width)], dim=1)
    short = synopsis(tiny, [1, 5])
    short[1][0] = short[1][0][:, :4]
    vsp = attach(model, VideoSynopsisPrompting())
    assert torch.equal(sample(tiny, vsp, positive=short), sample(tiny, vsp, positive=padded))


def test_two_samples_read_the_same_texts(tiny, model):
    """The two noises of a batch, each as if it were sampled alone."""
    vsp, positive, negative = attach(model, VideoSynopsisPrompting()), synopsis(tiny, [1, 5]), conditioning(tiny, 2)
    noise = torch.randn(2, *tiny.latent[1:], generator=torch.manual_seed(0))

    def sampled(noise):
        empty = torch.zeros_like(noise)
        return comfy.sample.sample(vsp, noise, 2, 4.0, "euler", "simple", positive, negative, empty, seed=0, disable_pbar=True)

    assert relative(sampled(noise), torch.cat([sampled(noise[:1]), sampled(noise[1:])])) <= 1e-5


def plans(log):
    """The forward of each call with key prompts, and what each of its frames reads."""
    rows = ((forward, next(row.plan for row in forward.text.rows if row)) for _, forward, *_ in log if any(forward.keys))
    return [(forward, [plan.mixtures[n] for n in plan.of_frame]) for forward, plan in rows]


def test_places_are_in_latent_frames_where_the_network_joins_them():
    """85 video frames are 22 latent frames, of which CogVideoX 1.5 makes 11 frames of tokens; a key prompt lies in the middle."""
    tiny, latent, log = NETWORKS["cogvideox_1.5"], (1, 16, 22, 4, 4), []
    placement = Placement(parse_key_prompts("f0: a\nf40: b\nf84: c"), 4, 16.0)
    vsp = attach(tiny.load(), VideoSynopsisPrompting(transition=0.0), Watcher(log=log))
    sample(tiny, vsp, steps=1, cfg=1.0, latent=latent, positive=synopsis(tiny, [1, 3, 5], latent=latent, placement=placement))
    [read] = map(list, {tuple(read) for _, read in plans(log)})
    places, _ = placement(22)
    assert places[0] == 0 and 10 < places[1] < 11 and places[2] == 21
    assert read == [mixture(2 * frame + 0.5, places, 0.0) for frame in range(11)]
    assert [each.first for each in read] == [0] * 3 + [1] * 5 + [2] * 3


@pytest.mark.parametrize(("length", "overlap"), [(8, 2), (7, 2), (6, 3)])
def test_a_context_window_of_joined_frames_reads_what_it_reads_in_the_whole_video(length, overlap):
    """Windows that begin within a patch of the whole video join other frames than it does."""
    tiny, latent, log = NETWORKS["cogvideox_1.5"], (1, 16, 22, 4, 4), []
    vsp = windowed(attach(tiny.load(), VideoSynopsisPrompting(transition=1.0), Watcher(log=log)), length, overlap)
    sample(tiny, vsp, steps=1, cfg=1.0, latent=latent, positive=synopsis(tiny, [1, 3], latent=latent))
    found = plans(log)
    assert {frame for forward, _ in found for held in forward.latents.held for frame in held} == set(range(22))
    for forward, read in found:
        assert len(read) == forward.grid.frames == len(forward.frames) and forward.whole == 11
        assert read == [mixture(sum(held) / len(held), (0.0, 21.0), 1.0) for held in forward.latents.held]


def test_a_context_window_reads_what_its_frames_read_in_the_whole_video(tiny, model):
    log = []
    patched = attach(windowed(model, 4, 2), VideoSynopsisPrompting(transition=1.0), Watcher(log=log))
    positive = synopsis(tiny, [1, 5], latent=(1, 16, 9, 8, 8))
    sample(tiny, patched, steps=1, latent=(1, 16, 9, 8, 8), positive=positive)
    found = plans(log)
    assert len({forward.frames for forward, _ in found}) > 1
    for forward, read in found:
        assert read == [mixture(frame, (0.0, 8.0), 1.0) for frame in forward.frames] and forward.whole == 9


def test_a_model_without_the_node_still_samples(tiny, model):
    """The host then averages the predictions of all key prompts."""
    assert torch.isfinite(sample(tiny, model, positive=synopsis(tiny, [1, 5]))).all()


def test_a_synopsis_that_was_taken_apart_is_refused(tiny, model):
    vsp = attach(model, VideoSynopsisPrompting())
    with pytest.raises(TemporalAttentionError, match="some are missing"):
        sample(tiny, vsp, positive=synopsis(tiny, [1, 5, 6])[:2])


def guided(tiny, conds):
    """Conditionings as they are where the last latent frame of LTX is a guide."""
    coordinates = torch.zeros(1, 3, tiny.latent[3] * tiny.latent[4], 2)
    coordinates[..., 1] = 1
    return [[text, {**options, "keyframe_idxs": coordinates}] for text, options in conds]


def test_key_prompts_are_refused_where_guides_take_tokens_out_of_the_video(caplog):
    """A run with a single prompt is passed through there, and says so."""
    tiny = NETWORKS["ltxv"]
    model, mask = tiny.load(), torch.ones(1, 1, tiny.latent[2], 1, 1)
    one, several = (guided(tiny, synopsis(tiny, seeds)) for seeds in ([1], [1, 5]))
    given = {"steps": 1, "cfg": 1.0, "noise_mask": mask}
    plain = sample(tiny, model, positive=one, **given)
    assert torch.equal(sample(tiny, attach(model, VideoSynopsisPrompting()), positive=one, **given), plain)
    assert "guides or keyframes" in caplog.text
    with pytest.raises(TemporalAttentionError, match="one prompt for all frames"):
        sample(tiny, attach(model, VideoSynopsisPrompting()), positive=several, **given)


def test_key_prompts_are_refused_where_another_node_splits_the_batch(tiny, model):
    split = model.clone()
    split.set_model_unet_function_wrapper(split_batch)
    with pytest.raises(TemporalAttentionError, match="split the batch"):
        sample(tiny, attach(split, VideoSynopsisPrompting()), steps=1, positive=synopsis(tiny, [1, 5]))


def test_of_several_nodes_on_a_model_the_last_decides(tiny, model):
    last = attach(model, VideoSynopsisPrompting(transition=1.0))
    stacked = attach(model, VideoSynopsisPrompting(transition=0.0), VideoSynopsisPrompting(transition=1.0))
    results = [sample(tiny, m, steps=1, positive=synopsis(tiny, [1, 5])) for m in (last, stacked)]
    assert torch.equal(*results)


def test_the_node_encodes_each_key_prompt_and_does_not_guess_the_length_of_the_video(tiny, model, caplog):
    settings = {"transition": 0.25, "fps": 16.0, "interpolation": "linear"}
    vsp, positive = VideoSynopsisPromptNode.execute(model, Clip(), "0s: a bud\n5s: a rose", **settings).args
    assert [options[KEY].index for _, options in positive] == [0, 1] and positive[0][1][KEY].count == 2
    assert torch.equal(positive[1][0], conditioning(tiny, len("a rose"))[0][0])
    assert "past the end" not in caplog.text
    assert not torch.equal(sample(tiny, vsp, positive=positive), sample(tiny, model, positive=positive[:1]))
    sample(tiny, vsp, positive=positive)
    assert caplog.text.count("past the end of the video (9 frames") == 2, "once a run"
    with pytest.raises(TemporalAttentionError, match="frames per second"):
        VideoSynopsisPromptNode.execute(model, Clip(), "a bud\na rose", **settings | {"fps": 0.0})


def test_a_plain_conditioning_is_reported(tiny, model, caplog):
    caplog.set_level("INFO", logger="temporal_attention")
    plain = sample(tiny, attach(model, VideoSynopsisPrompting()))
    assert torch.equal(plain, sample(tiny, model)) and "key prompts" in caplog.text


class RowByRow:
    """Another pack's forward of a cross-attention, which asks the kernel for each row of the batch alone."""

    def __init__(self, module):
        self.module = module

    def __call__(self, x, context, transformer_options, **_):
        own = self.module
        rows = []
        for one, text in zip(x.split(1), context.split(1), strict=True):
            given = own.norm_q(own.q(one)), own.norm_k(own.k(text)), own.v(text)
            rows.append(optimized_attention(*given, own.num_heads, transformer_options=transformer_options))
        return own.o(torch.cat(rows))


def test_key_prompts_in_an_attention_that_is_passed_through_stop_the_run(tiny, model):
    """Each frame would read the texts of all frames, side by side."""
    changed = model.clone()
    for i, block in enumerate(model.model.diffusion_model.blocks):
        changed.add_object_patch(f"diffusion_model.blocks.{i}.cross_attn.forward", RowByRow(block.cross_attn))
    vsp = attach(changed, VideoSynopsisPrompting())
    alone = {"positive": synopsis(tiny, [1, 5]), "cfg": 1.0}
    assert torch.equal(sample(tiny, vsp, **alone), sample(tiny, attach(model, VideoSynopsisPrompting()), **alone))
    with pytest.raises(TemporalAttentionError, match="Remove the node that changes attention to text"):
        sample(tiny, vsp, positive=synopsis(tiny, [1, 5]), cfg=4.0)
