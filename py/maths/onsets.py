"""Where sounds begin: the onset strength of a waveform, and the mask over frames that it gives.

TempoControl (Schiber et al.), audio-visual alignment: onset strength, min-max, peaks kept, the rest smoothed.
"""

from __future__ import annotations

import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torchaudio.functional import resample
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

SAMPLES_A_SECOND, WINDOW, HOP, MELS, DECIBELS = 22050, 2048, 512, 128, 80.0
RATE = SAMPLES_A_SECOND / HOP  # values of the onset strength a second
PEAK, SIGMA = 0.7, 2.0


def onset_strength(waveform: Tensor, rate: int) -> Tensor:
    """[C, T] samples at `rate` a second -> [T'] onset strength, RATE values a second.

    The spectral flux of the log-mel spectrogram, mean over mel bands of max(0, L[t] - L[t - 1]), and 0 in complete silence. A
    window already hears a sound half its length before the sound begins: the values are delayed by as much.
    """
    mono = resample(waveform.float().mean(0), rate, SAMPLES_A_SECOND)
    spectrogram = MelSpectrogram(
        SAMPLES_A_SECOND, WINDOW, hop_length=HOP, n_mels=MELS, pad_mode="constant", norm="slaney", mel_scale="slaney"
    )
    decibels = AmplitudeToDB(top_db=DECIBELS)(spectrogram(mono))
    flux = decibels.diff(dim=-1).relu().mean(0)
    delay = 1 + WINDOW // (2 * HOP)
    return torch.nn.functional.pad(flux, (delay, 0))[: decibels.shape[-1]]


def to_unit_range(values: Tensor) -> Tensor:
    """[T] -> (values - min) / (max - min); zeros where all are the same."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else torch.zeros_like(values)


def onset_mask(strength: Tensor) -> Tensor:
    """[F] strength of latent frames -> [F] in [0, 1]: scaled, values of at least PEAK kept, the rest Gaussian-smoothed."""
    scaled = to_unit_range(strength)
    smooth = torch.from_numpy(gaussian_filter1d(scaled.numpy(), SIGMA))
    return torch.where(scaled >= PEAK, scaled, smooth)
