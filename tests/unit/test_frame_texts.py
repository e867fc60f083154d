"""Which key prompt each frame reads, mixtures of embeddings, and texts side by side."""

import math

import numpy as np
import pytest
import torch

from pack.py.core.attention import Attention
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.events import Branch, Forward, Grid, Site, Step
from pack.py.core.frame_text import FrameText, RowText, TextLayout
from pack.py.core.joint_text import JointText, biases, factors
from pack.py.maths.text_mixture import Mixture, mixed, mixture
from pack.py.techniques.vsp import VideoSynopsisPrompting


def weights(position, places, transition):
    """Weight of every key prompt."""
    found = mixture(position, places, transition)
    row = [0.0] * len(places)
    row[found.first] = 1 - found.share
    if found.share:
        row[found.first + 1] = found.share
    return row


@pytest.mark.parametrize("seed", range(20))
def test_a_whole_transition_is_linear_interpolation(seed):
    generator = np.random.default_rng(seed)
    places = np.sort(generator.uniform(0, 20, generator.integers(1, 8)))
    position = generator.uniform(-2, 22)
    expected = [np.interp(position, places, np.eye(len(places))[i]) for i in range(len(places))]
    np.testing.assert_allclose(weights(position, places.tolist(), 1.0), expected, atol=1e-12)


def test_no_transition_switches_half_way():
    assert [mixture(f, (0, 4, 8), 0.0).first for f in range(9)] == [0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert all(mixture(f, (0, 4, 8), 0.0).share == 0 for f in range(9))


def test_a_short_transition_cross_fades_around_the_middle():
    assert weights(4, (0, 8), 0.25) == [0.5, 0.5]
    assert weights(3, (0, 8), 0.25) == [1, 0] and weights(5, (0, 8), 0.25) == [0, 1]
    assert weights(4.5, (0, 8), 0.25) == [0.25, 0.75]


@pytest.mark.parametrize("position", [-5, 0, 3, 100])
def test_one_key_prompt_is_read_everywhere(position):
    assert mixture(position, (3,), 0.5) == Mixture(0, 0.0)


def test_outside_the_first_and_last_place_one_key_prompt_is_read_alone():
    assert weights(0, (2, 6), 1.0) == [1, 0] and weights(9, (2, 6), 1.0) == [0, 1]


def test_two_key_prompts_at_one_place_switch_there():
    assert mixture(4, (4, 4), 1.0) == Mixture(1, 0.0) and mixture(3, (4, 4), 1.0) == Mixture(0, 0.0)


def slerp(a, b, share):
    """Along the arc, one token, float64."""
    a, b = a.double().numpy(), b.double().numpy()
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    angle = math.acos(a @ b / lengths[0] / lengths[1])
    unit = (math.sin((1 - share) * angle) * a / lengths[0] + math.sin(share * angle) * b / lengths[1]) / math.sin(angle)
    return ((1 - share) * lengths[0] + share * lengths[1]) * unit


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_mixtures_equal_the_definition(share):
    a, b = torch.randn(2, 5, 16, generator=torch.manual_seed(0))
    torch.testing.assert_close(mixed(a, b, share, "linear"), (1 - share) * a + share * b)
    for token, (one, other) in enumerate(zip(a, b, strict=True)):
        np.testing.assert_allclose(mixed(a, b, share, "slerp")[token], slerp(one, other, share), atol=1e-5)


def test_slerp_of_a_right_angle_keeps_the_length():
    a, b = torch.eye(2)
    torch.testing.assert_close(mixed(a, b, 0.5, "slerp"), torch.full((2,), 2**-0.5))


@pytest.mark.parametrize("second", [torch.zeros(1, 4), torch.ones(1, 4), -torch.ones(1, 4)], ids=["zero", "equal", "opposite"])
def test_where_there_is_no_arc_it_is_linear(second):
    first = torch.ones(1, 4)
    torch.testing.assert_close(mixed(first, second, 0.25, "slerp"), 0.75 * first + 0.25 * second)


def test_mixtures_keep_the_dtype():
    text = torch.randn(2, 3, 8, generator=torch.manual_seed(0)).bfloat16()
    assert mixed(*text, 0.5, "slerp").dtype == torch.bfloat16


def test_a_plan_lists_every_mixture_once():
    plan = FrameText.of([Mixture(0, 0.0), Mixture(0, 0.0), Mixture(0, 0.5), Mixture(1, 0.0), Mixture(0, 0.0)])
    assert plan.mixtures == ((0, 0.0), (0, 0.5), (1, 0.0)) and plan.of_frame == (0, 0, 1, 2, 0)


@pytest.mark.parametrize("start,after", [(0, 0), (4, 0), (0, 6), (4, 6)])
def test_segments_cover_the_sequence_and_keep_frames_apart(start, after):
    plan = FrameText((Mixture(0, 0.0), Mixture(1, 0.0)), (0, 0, 1, 0))
    grid = Grid(4, 2, 3, tokens=start + 24 + after, start=start)
    segments = plan.segments(grid)
    read = [number for tokens, number in segments for _ in range(*tokens.indices(grid.tokens))]
    assert read == [0] * (start + 12) + [1] * 6 + [0] * (6 + after)


def test_texts_of_a_row():
    row = RowText(FrameText((), ()), (0, 4, 6))
    layout = TextLayout((), own=3)
    assert [row.tokens(n) for n in (0, 1)] == [slice(0, 4), slice(4, 6)]
    assert layout.texts(row, 8) == [slice(0, 4), slice(4, 6), slice(6, 8)]
    assert layout.texts(None, 8) == [slice(0, 3), slice(3, 8)] and layout.texts(None, 3) == [slice(0, 3)]


def dense_joint_bias(row, frames, spatial, tokens, start, before, after):
    """Naive: log-weights of texts for every pair of tokens of a sequence before, video, after."""
    length = before + frames * spatial + after
    bias = np.zeros((length, length))
    for token in range(tokens):
        number = next(n for n in range(len(row.edges) - 1) if row.edges[n] <= token < row.edges[n + 1])
        for query in range(length):
            if before <= query < before + frames * spatial:
                first, share = row.plan.mixtures[row.plan.of_frame[(query - before) // spatial]]
                weight = {first: 1 - share, first + 1: share}.get(number, 0.0)
                bias[query, start + token] = math.log(weight) if weight else -100
            elif start <= query < start + tokens:
                other = query - start
                bias[query, start + token] = 0.0 if row.edges[number] <= other < row.edges[number + 1] else -100
            else:  # other tokens: the frames' mean weight
                bias[query, start + token] = math.log((1.75 / 3, 1.25 / 3)[number])
    return bias


@pytest.mark.parametrize("before,after,start", [(9, 0, 0), (11, 0, 2), (0, 9, 12)], ids=["text first", "something, text", "last"])
def test_joint_factors_multiply_out_to_the_definition(before, after, start):
    frames, spatial, tokens = 3, 4, 9
    plan = FrameText.of([Mixture(0, 0.0), Mixture(0, 0.25), Mixture(1, 0.0)])
    row = RowText(plan, (0, 5, 9))
    grid = Grid(frames, 2, 2, tokens=before + 12 + after, start=before)
    layout = TextLayout((row,), own=tokens, joint=JointText(start, (factors(row, torch.device("cpu")),)))
    forward = Forward(Step(0, 1, 1.0, 0.0, 1.0), grid, (Branch.COND,), (0,), text=layout)
    q = torch.zeros(1, 1, grid.tokens, 8)
    call = Attention(Site(0, 1, "joint"), forward, q, q, q, None, 1.0, lambda call: call.q, (0,))
    (bias,) = biases(call, layout.joint)
    expected = dense_joint_bias(row, frames, spatial, tokens, start, before, after)
    np.testing.assert_allclose((bias.queries @ bias.keys.mT)[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("settings", [{"transition": -0.1}, {"transition": 1.1}, {"interpolation": "cubic"}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(TemporalAttentionError):
        VideoSynopsisPrompting(**settings)
