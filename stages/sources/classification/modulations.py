"""Digital and analogue modulations as complex baseband signals of unit power."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import fftconvolve, firwin

Signals = NDArray[Any]  # complex, (count, length)

ROLL_OFF = 0.35  # of the root-raised-cosine pulse
SPAN = 8  # symbols to either side that a pulse reaches over
BT = 0.3  # bandwidth-time product of GFSK's Gaussian filter
AUDIO_BAND = 0.05  # of analogue messages, in cycles per sample


def root_raised_cosine(samples_per_symbol: int, roll_off: float = ROLL_OFF) -> NDArray[np.float64]:
    """Taps of unit energy over 2 * SPAN symbols (Proakis, Digital Communications, section 9.2)."""
    t = np.arange(-SPAN * samples_per_symbol, SPAN * samples_per_symbol + 1) / samples_per_symbol
    # The closed form is 0/0 at these two places; a shift far below a sample avoids both.
    t = t + 1e-9
    numerator = np.sin(np.pi * t * (1 - roll_off))
    numerator += 4 * roll_off * t * np.cos(np.pi * t * (1 + roll_off))
    taps: NDArray[np.float64] = numerator / (np.pi * t * (1 - (4 * roll_off * t) ** 2))
    scaled: NDArray[np.float64] = taps / np.sqrt(np.sum(taps**2))
    return scaled


def psk(order: int) -> Signals:
    """Points of phase-shift keying, of unit mean power."""
    points: Signals = np.exp(2j * np.pi * (np.arange(order) + 0.5) / order)
    return points


def qam(order: int) -> Signals:
    """Points of square quadrature amplitude modulation, of unit mean power."""
    side = np.arange(1 - np.sqrt(order), np.sqrt(order), 2)
    points = (side[:, None] + 1j * side).ravel()
    scaled: Signals = points / np.sqrt(np.mean(np.abs(points) ** 2))
    return scaled


def linear(points: Signals) -> "Modulator":
    """Random symbols from `points`, pulse-shaped, with a random symbol timing."""

    def modulate(rng: Generator, count: int, length: int, samples_per_symbol: int) -> Signals:
        taps = root_raised_cosine(samples_per_symbol)
        symbols = rng.choice(points, (count, length // samples_per_symbol + 2 * SPAN + 3))
        impulses = np.zeros((count, symbols.shape[1] * samples_per_symbol), complex)
        impulses[:, ::samples_per_symbol] = symbols
        shaped = fftconvolve(impulses, taps[None], mode="same", axes=1)
        return _timed(rng, shaped, length, samples_per_symbol)

    return modulate


def gfsk(rng: Generator, count: int, length: int, samples_per_symbol: int) -> Signals:
    """Binary Gaussian frequency-shift keying, modulation index 0.5, with a random timing."""
    bits = rng.choice([-1.0, 1.0], (count, length // samples_per_symbol + 2 * SPAN + 3))
    t = np.arange(-2 * samples_per_symbol, 2 * samples_per_symbol + 1) / samples_per_symbol
    gaussian = np.exp(-2 * (np.pi * BT * t) ** 2 / np.log(2))
    held = np.repeat(bits, samples_per_symbol, axis=1)
    frequency = fftconvolve(held, (gaussian / gaussian.sum())[None], mode="same", axes=1)
    phase = np.cumsum(0.5 * np.pi * frequency / samples_per_symbol, axis=1)
    return _timed(rng, np.exp(1j * phase), length, samples_per_symbol)


def am(rng: Generator, count: int, length: int, samples_per_symbol: int) -> Signals:
    """Amplitude modulation with a carrier, depth 0.5 to 1."""
    depth = rng.uniform(0.5, 1, (count, 1))
    return (1 + depth * _message(rng, count, length)).astype(complex)


def fm(rng: Generator, count: int, length: int, samples_per_symbol: int) -> Signals:
    """Frequency modulation, peak deviation 0.05 to 0.1 cycles per sample."""
    deviation = rng.uniform(0.05, 0.1, (count, 1))
    phase = 2 * np.pi * np.cumsum(deviation * _message(rng, count, length), axis=1)
    signals: Signals = np.exp(1j * phase)
    return signals


def _message(rng: Generator, count: int, length: int) -> NDArray[np.float64]:
    """Noise in the band of speech, with a peak of 1."""
    taps = firwin(101, 2 * AUDIO_BAND)
    noise = rng.standard_normal((count, length + len(taps) - 1))
    message = fftconvolve(noise, taps[None], mode="valid", axes=1)
    peaks: NDArray[np.float64] = np.max(np.abs(message), axis=1, keepdims=True)
    return np.asarray(message / peaks)


def _timed(rng: Generator, signals: Signals, length: int, samples_per_symbol: int) -> Signals:
    """Cut `length` samples that start anywhere within a symbol, between samples too."""
    frequencies = np.fft.fftfreq(signals.shape[1])
    delays = rng.uniform(0, samples_per_symbol, (len(signals), 1))
    delayed = np.fft.ifft(
        np.fft.fft(signals, axis=1) * np.exp(-2j * np.pi * frequencies * delays), axis=1
    )
    start = (SPAN + 1) * samples_per_symbol
    return delayed[:, start : start + length]


Modulator = Callable[[Generator, int, int, int], Signals]

MODULATIONS: dict[str, Modulator] = {
    "BPSK": linear(psk(2)),
    "QPSK": linear(psk(4)),
    "8PSK": linear(psk(8)),
    "16QAM": linear(qam(16)),
    "64QAM": linear(qam(64)),
    "GFSK": gfsk,
    "AM": am,
    "FM": fm,
}
