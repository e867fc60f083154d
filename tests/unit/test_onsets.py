"""Onset strength against a naive spectral flux, sounds at known times, and the mask's rule against scalar loops."""

import math

import numpy as np
import pytest
import torch

from pack.py.maths.onsets import HOP, MELS, RATE, SAMPLES_A_SECOND, WINDOW, onset_mask, onset_strength, to_unit_range


def slaney_mel(hertz):
    """Linear below 1 kHz, logarithmic above."""
    return 3 * hertz / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def naive_filters():
    """[mels, bins] triangles between equally spaced mels, each of area 1."""
    bins = np.arange(WINDOW // 2 + 1) * SAMPLES_A_SECOND / WINDOW
    mels = np.linspace(0, slaney_mel(SAMPLES_A_SECOND / 2), MELS + 2)
    corners = [200 * mel / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27) for mel in mels]
    rows = []
    for low, middle, high in zip(corners, corners[1:], corners[2:], strict=False):
        triangle = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
        rows.append(np.maximum(0, triangle) * 2 / (high - low))
    return np.array(rows)


def naive_onset_strength(samples):
    """Mono samples at 22050 a second -> mean over mel bands of the rise of the log-mel spectrogram, half a window later."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    padded = np.pad(samples, WINDOW // 2)
    count = 1 + len(samples) // HOP
    power = np.array([np.abs(np.fft.rfft(window * padded[i * HOP : i * HOP + WINDOW])) ** 2 for i in range(count)])
    decibels = 10 * np.log10(np.maximum(1e-10, power @ naive_filters().T))
    decibels = np.maximum(decibels, decibels.max() - 80)
    flux = [0.0] + [np.maximum(0, after - before).mean() for before, after in zip(decibels, decibels[1:], strict=False)]
    delay = WINDOW // (2 * HOP)
    return np.array([0.0] * delay + flux)[:count]


def clicks(times, rate, seconds=3.0, seed=0):
    """Bursts of decaying noise over a quiet floor."""
    noise = np.random.default_rng(seed)
    samples = 1e-3 * noise.standard_normal(int(rate * seconds))
    for time in times:
        first, length = int(time * rate), int(0.2 * rate)
        samples[first : first + length] += noise.standard_normal(length) * np.exp(-np.arange(length) / rate * 20)
    return samples


@pytest.mark.parametrize("seed", range(3))
def test_against_a_naive_spectral_flux(seed):
    samples = clicks((0.7, 1.9), SAMPLES_A_SECOND, seed=seed)
    strength = onset_strength(torch.from_numpy(samples)[None], SAMPLES_A_SECOND)
    assert strength.numpy() == pytest.approx(naive_onset_strength(samples), abs=2e-3)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_peaks_are_where_sounds_begin(rate):
    """At any sampling rate, in either channel, within 50 ms: less than a video frame at 16 a second."""
    left, right = clicks((0.5, 2.0), rate), clicks((1.25,), rate, seed=1)
    strength = onset_strength(torch.from_numpy(np.stack([left, right])), rate)
    found = sorted(strength.topk(6).indices.tolist())
    for time in (0.5, 1.25, 2.0):
        assert any(0 <= index / RATE - time < 0.05 for index in found)
    assert all(min(abs(index / RATE - time) for time in (0.5, 1.25, 2.0)) < 0.1 for index in found)


@pytest.mark.parametrize("samples", [torch.zeros(2, 30000), torch.zeros(1, 1)])
def test_silence_has_no_onset(samples):
    assert not onset_strength(samples, 22050).any()


def naive_mask(values):
    low, high = min(values), max(values)
    scaled = [(value - low) / (high - low) for value in values]
    mask, last = [], len(values) - 1
    for i, value in enumerate(scaled):
        total = weight = 0.0
        for shift in range(-8, 9):  # 4 sigma
            j = i + shift
            while not 0 <= j <= last:  # reflected, the border itself repeated
                j = -1 - j if j < 0 else 2 * last + 1 - j
            total += scaled[j] * math.exp(-(shift**2) / 8)
            weight += math.exp(-(shift**2) / 8)
        mask.append(value if value >= 0.7 else total / weight)
    return mask


@pytest.mark.parametrize("frames", [2, 5, 21, 40])
def test_mask_against_scalar_loops(frames):
    strength = torch.rand(frames, generator=torch.Generator().manual_seed(frames), dtype=torch.float64)
    assert onset_mask(strength).tolist() == pytest.approx(naive_mask(strength.tolist()), abs=1e-9)


def test_a_constant_has_no_range():
    assert to_unit_range(torch.full((4,), 2.0)).tolist() == [0, 0, 0, 0] and not onset_mask(torch.ones(5)).any()
