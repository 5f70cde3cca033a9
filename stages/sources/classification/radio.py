"""Radio signals as a receiver gets them: synthesised, sent through a channel, with noise."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import stft

from stages.datasets.classification.samples import Labelled
from stages.settings import Radio
from stages.sources.classification.modulations import MODULATIONS, Signals

LONGEST_ECHO = 2  # symbols
FLOOR_DB = -40  # of spectrograms, below their peak


def radio_signals(radio: Radio, seed: int) -> Labelled:
    """`signals` of every modulation at every SNR, as (N, 2, length) or as spectrograms.

    The signals of a modulation at an SNR depend on `seed` and these two alone.
    """
    parts, labels, snrs = [], [], []
    for label, name in enumerate(MODULATIONS):
        for snr_db in radio.snrs_db:
            rng = np.random.default_rng((seed, label, round(1000 * snr_db) + 10**6))
            clean = MODULATIONS[name](rng, radio.signals, radio.length, radio.samples_per_symbol)
            parts.append(add_noise(rng, through_channel(rng, clean, radio), snr_db))
            labels += [label] * radio.signals
            snrs += [snr_db] * radio.signals
    signals = np.concatenate(parts)
    x = as_iq(signals) if radio.view == "iq" else spectrograms(signals)
    return Labelled(x, np.array(labels), tuple(MODULATIONS), np.array(snrs, np.float32))


def through_channel(rng: Generator, signals: Signals, radio: Radio) -> Signals:
    """Echoes (each with a random delay and complex gain), carrier offset and phase; unit power."""
    count, length = signals.shape
    spectrum, frequencies = np.fft.fft(signals, axis=1), np.fft.fftfreq(length)
    response = np.ones((count, length), complex)
    for _ in range(radio.echoes):
        delays = rng.uniform(0, LONGEST_ECHO * radio.samples_per_symbol, (count, 1))
        gains = radio.echo_gain * _complex_normal(rng, (count, 1))
        response += gains * np.exp(-2j * np.pi * frequencies * delays)
    received = np.fft.ifft(spectrum * response, axis=1)
    offsets = rng.uniform(-radio.offset, radio.offset, (count, 1))
    phases = rng.uniform(0, 1, (count, 1))
    received = received * np.exp(2j * np.pi * (offsets * np.arange(length) + phases))
    return _of_unit_power(received)


def add_noise(rng: Generator, signals: Signals, snr_db: float) -> Signals:
    """Add white complex noise over the whole sampled band, and scale to unit power again.

    `signals` have unit power, so the noise has a power of 10^(-snr_db / 10).
    """
    noise = _complex_normal(rng, signals.shape) * 10 ** (-snr_db / 20)
    return _of_unit_power(signals + noise)


def as_iq(signals: Signals) -> NDArray[np.float32]:
    """In-phase and quadrature parts, (N, 2, length)."""
    return np.stack([signals.real, signals.imag], axis=1).astype(np.float32)


def spectrograms(signals: Signals, side: int = 64) -> NDArray[np.uint8]:
    """Power over frequency (rows, negative ones first) and time, (N, side, side), in grey levels.

    Levels are decibels from FLOOR_DB below each signal's peak (0) up to the peak (255).
    """
    hop = max(1, (signals.shape[1] - side) // (side - 1))
    _, _, found = stft(
        signals, nperseg=side, noverlap=side - hop, boundary=None, padded=False,
        return_onesided=False, axis=1,
    )  # fmt: skip
    power = np.fft.fftshift(np.abs(found) ** 2, axes=1)[:, :, :side]
    level_db = 10 * np.log10(power / power.max(axis=(1, 2), keepdims=True) + 1e-12)
    grey: NDArray[np.uint8] = np.rint(255 * np.clip(1 - level_db / FLOOR_DB, 0, 1)).astype(np.uint8)
    return grey


def _complex_normal(rng: Generator, shape: tuple[int, ...]) -> Signals:
    """Circular complex Gaussian numbers of unit power."""
    parts = rng.standard_normal((2, *shape)) / np.sqrt(2)
    values: Signals = parts[0] + 1j * parts[1]
    return values


def _of_unit_power(signals: Signals) -> Signals:
    power = np.mean(np.abs(signals) ** 2, axis=1, keepdims=True)
    scaled: Signals = signals / np.sqrt(power)
    return scaled
