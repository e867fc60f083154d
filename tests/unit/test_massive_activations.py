"""The mathematics of massive activations against a naive float64 reference: regions, steering, peaks, the 50 x rule."""

import numpy as np
import pytest
import reference_activations as reference
import torch
from reference import double

from pack.py.maths import massive_activations as maths
from pack.py.maths.steering import replaced, selected, toward_peak
from pack.py.maths.token_regions import FIRST_FRAME, boundary, boundary_size, interior

SHAPES = {  # tokens of a latent frame at the paper's resolutions, p, and tokens at each end
    "Wan2.1-T2V-1.3B at 480 x 832": (30 * 52, 8, 125),  # 124.8
    "Wan2.2-TI2V-5B at 704 x 1280": (22 * 40, 12, 106),  # 105.6
    "CogVideoX-5B at 480 x 720": (30 * 45, 8, 108),
}


def tokens(seed=0, rows=2, frames=4, spatial=6, channels=9, scale=1.0):
    return scale * torch.randn(rows, frames * spatial, channels, generator=torch.Generator().manual_seed(seed))


def marked(frames, spatial, regions):
    """[F * S] bool: the tokens of regions."""
    mask = np.zeros((frames, spatial), bool)
    for region in regions:
        mask[region] = True
    return mask.ravel()


# Regions


@pytest.mark.parametrize("spatial,percent,size", SHAPES.values(), ids=SHAPES)
def test_boundaries_at_the_papers_shapes(spatial, percent, size):
    assert boundary_size(spatial, percent) == size
    mask = marked(3, spatial, boundary(spatial, percent)).reshape(3, spatial)
    assert not mask[0].any()
    for frame in mask[1:]:
        assert frame[:size].all() and frame[-size:].all() and frame.sum() == 2 * size


@pytest.mark.parametrize("spatial", [1, 2, 7, 25, 1000])
@pytest.mark.parametrize("percent", [0, 0.1, 5.6, 8, 12, 28, 49.9, 50])
def test_regions_equal_the_reference_and_cover_every_token_once(spatial, percent):
    groups = [(FIRST_FRAME,), boundary(spatial, percent), (interior(spatial, percent),)]
    masks = [marked(3, spatial, group) for group in groups]
    assert (np.sum(masks, axis=0) == 1).all()
    wanted = [reference.region(token, spatial, percent) for token in range(3 * spatial)]
    assert (np.argmax(masks, axis=0) == wanted).all()


@pytest.mark.parametrize("spatial,percent,size", [(25, 28, 7), (125, 5.6, 7), (1000, 0.1, 1), (7, 50, 4), (9, 0, 0), (9, 1, 1)])
def test_whole_numbers_are_kept_and_others_rounded_up(spatial, percent, size):
    assert boundary_size(spatial, percent) == size


@pytest.mark.parametrize("spatial", [4, 5])
def test_fifty_percent_is_every_token(spatial):
    assert marked(3, spatial, (FIRST_FRAME, *boundary(spatial, 50))).all()


# Steering


@pytest.mark.parametrize("frames,spatial,channels", [(4, 6, (3,)), (2, 25, (0, 8)), (7, 13, (5, 1, 2)), (1, 9, (4,))])
def test_the_target_is_the_signed_peak_of_each_row_and_channel(frames, spatial, channels):
    x = tokens(spatial, 3, frames, spatial)
    values = toward_peak(selected(x, channels), 2.5)
    everywhere = reference.steered(x, frames * spatial, channels)  # one frame: all of it is the first
    assert np.abs(double(values) - everywhere[..., list(channels)]).max() < 1e-6
    assert len(set(values.abs().amax(1)[:, 0].tolist())) == 3, "each row has its own maximum"


def test_a_zero_stays_zero():
    x = torch.tensor([[[0.0], [-1.0], [2.0]]])
    assert toward_peak(x, 3.0).flatten().tolist() == [0.0, -6.0, 6.0]


def test_only_the_chosen_places_are_replaced_and_x_is_not_written():
    x = tokens()
    kept, values = x.clone(), torch.full((2, 24, 2), 7.0)
    out = replaced(x, (1, 4), values, 4, boundary(6, 20))
    changed = torch.from_numpy(marked(4, 6, boundary(6, 20)))
    assert (out[:, changed][..., [1, 4]] == 7).all() and torch.equal(out[:, ~changed], x[:, ~changed])
    assert torch.equal(out[..., [0, 2, 3, 5, 6, 7, 8]], x[..., [0, 2, 3, 5, 6, 7, 8]]) and torch.equal(x, kept)


def test_tokens_within_a_longer_sequence_can_be_replaced():
    """A block's output may be a view: text before the video, say."""
    whole = tokens(frames=5)
    x = whole[:, 6:]
    assert torch.equal(replaced(x, (2,), 0 * x[..., :1], 4, (FIRST_FRAME,))[:, 6:], x[:, 6:])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_values_are_rounded_once_and_never_overflow(dtype):
    x = tokens().to(dtype)
    values = torch.full((2, 24, 1), 1e30)
    values[:, 1] = 0.1
    out = replaced(x, (0,), values, 4, (FIRST_FRAME,))
    assert out.dtype == dtype and out.isfinite().all()
    assert out[0, 0, 0] == min(1e30, torch.finfo(dtype).max) and out[0, 1, 0] == torch.tensor(0.1).to(dtype)


# Peaks


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_peaks_of_each_row_and_channel(dtype):
    x = tokens(scale=30).to(dtype)
    peaks = maths.channel_peaks(x)
    assert np.array_equal(double(peaks), np.abs(double(x)).max(1)) and peaks.dtype == dtype


def test_the_strongest_channels_and_their_values():
    x = tokens(rows=3)
    channels, values = maths.strongest(x, maths.channel_peaks(x), 4)
    peaks = np.abs(double(x)).max(1)
    for row in range(3):
        wanted = np.argsort(-peaks[row])[:4]
        assert channels[row].tolist() == wanted.tolist()
        assert np.array_equal(double(values[row]), np.abs(double(x[row]))[:, wanted])


@pytest.mark.parametrize("spatial,bins", [(6, 6), (6, 3), (6, 1), (8, 4)])
def test_pooling_averages_equal_parts_of_each_frame(spatial, bins):
    x = tokens(spatial=spatial, channels=2).abs()
    wanted = double(x).reshape(2, 4, bins, spatial // bins, 2).mean(3).transpose(0, 3, 1, 2)
    assert np.abs(double(maths.pooled(x, 4, bins)) - wanted).max() < 1e-6


@pytest.mark.parametrize("spatial,percent", [(25, 8), (6, 20), (5, 50), (6, 0), (1, 8)])
def test_maximum_and_mean_over_regions(spatial, percent):
    x = tokens(spatial=spatial).abs()
    groups = ((FIRST_FRAME,), boundary(spatial, percent), (interior(spatial, percent),))
    highest, means = maths.over_regions(x, 4, groups)
    at = np.array([reference.region(token, spatial, percent) for token in range(4 * spatial)])
    for group in range(3):
        inside = double(x)[:, at == group]
        if not inside.size:
            assert highest[..., group].isnan().all() and means[..., group].isnan().all()
            continue
        assert np.abs(double(highest[..., group]) - inside.max(1)).max() < 1e-7
        assert np.abs(double(means[..., group]) - inside.mean(1)).max() < 1e-6


# The 50 x rule


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("planted", [{}, {17: 1e4}, {3: 1e4, 99: 9e3, 700: 8e3}, {5: 30.0, 6: 1e4}])
def test_massive_and_weak_equal_the_reference(seed, planted):
    peaks = np.random.default_rng(seed).uniform(0.5, 4.0, 1000)
    for channel, value in planted.items():
        peaks[channel] = value
    wanted = reference.kinds(peaks)
    found = {int(c): "massive" for c in np.flatnonzero(maths.massive(peaks))}
    found |= {int(c): "weak" for c in np.flatnonzero(maths.weakly_massive(peaks))}
    assert found == wanted
    assert {c for c, kind in found.items() if kind == "massive"} == {c for c, value in planted.items() if value > 100}


@pytest.mark.parametrize(
    "hidden,peak,times,weak", [(1536, 45.44, 58.3, [4.8645]), (3072, 412.52, 100.1, []), (3072, 63.3419, 83.8, [5.0704, 4.4530])]
)
def test_the_published_statistics_are_classified_as_published(hidden, peak, times, weak):
    """Tab. A1; the channels that it does not name all have the peak that its ratio leaves for them."""
    rest = (hidden * peak / times - peak - sum(weak)) / (hidden - 1 - len(weak))
    peaks = np.array([peak, *weak] + [rest] * (hidden - 1 - len(weak)))
    assert np.flatnonzero(maths.massive(peaks)).tolist() == [0]
    assert np.flatnonzero(maths.weakly_massive(peaks)).tolist() == list(range(1, 1 + len(weak)))
    assert maths.ratio(peak, peaks.mean()) == pytest.approx(times, rel=1e-6)


def test_fifty_times_exactly_is_not_massive():
    peaks = np.zeros(100)
    peaks[0], peaks[1] = 1.0, 1.0
    assert peaks[0] == 50 * peaks.mean() and not maths.massive(peaks).any()


def test_nothing_is_massive_in_silence():
    assert not maths.massive(np.zeros(64)).any() and not maths.weakly_massive(np.zeros(64)).any()
    assert maths.ratio(0.0, 0.0) == 0.0
