"""Synthesised radio signals: what each modulation and the channel must be like."""

import numpy as np
import pytest
from numpy.random import default_rng

from stages.settings import Radio
from stages.sources.classification.modulations import MODULATIONS, psk, qam, root_raised_cosine
from stages.sources.classification.radio import (
    add_noise,
    radio_signals,
    spectrograms,
    through_channel,
)

SPS = 4


def radio(**changes: object) -> Radio:
    plain = {"view": "iq", "snrs_db": (0.0, 20.0), "signals": 3, "length": 256,
             "samples_per_symbol": SPS, "offset": 0.002, "echoes": 2,
             "echo_gain": 0.05}  # fmt: skip
    return Radio(**(plain | changes))  # type: ignore[arg-type]


def made(name: str, count: int = 20, length: int = 512) -> np.ndarray:
    return MODULATIONS[name](default_rng(1), count, length, SPS)


def test_there_are_eight_modulations_at_least() -> None:
    assert {"BPSK", "QPSK", "8PSK", "16QAM", "64QAM", "GFSK", "AM", "FM"} <= set(MODULATIONS)


@pytest.mark.parametrize("name", list(MODULATIONS))
def test_modulations_have_the_asked_shape_and_vary(name: str) -> None:
    signals = made(name)
    assert signals.shape == (20, 512)
    assert np.iscomplexobj(signals)
    assert np.isfinite(signals).all()
    assert not np.allclose(signals[0], signals[1])


@pytest.mark.parametrize(
    ("points", "count"), [(psk(2), 2), (psk(4), 4), (psk(8), 8), (qam(16), 16), (qam(64), 64)]
)
def test_constellations_have_unit_power_and_distinct_points(points: np.ndarray, count: int) -> None:
    assert len(np.unique(np.round(points, 9))) == count
    assert np.mean(np.abs(points) ** 2) == pytest.approx(1)
    assert np.mean(points) == pytest.approx(0, abs=1e-12)


def test_the_pulse_and_its_matched_filter_leave_no_symbol_in_another() -> None:
    """A root-raised cosine with itself is a raised cosine: zero at all other symbols."""
    taps = root_raised_cosine(SPS)
    both = np.convolve(taps, taps)
    at_symbols = both[len(taps) - 1 :: SPS]
    assert at_symbols[0] == pytest.approx(1)
    assert np.abs(at_symbols[1:8]).max() < 5e-3


@pytest.mark.parametrize("name", ["QPSK", "16QAM"])
def test_a_receiver_finds_the_points_again(name: str) -> None:
    """After the matched filter, at one of many timings, samples lie on the constellation."""
    points = {"QPSK": psk(4), "16QAM": qam(16)}[name]
    signal = made(name, 1, 1024)[0]
    fine = np.fft.ifft(np.pad(np.fft.fft(signal), (0, 0)))
    filtered = np.convolve(fine, root_raised_cosine(SPS), "valid")
    spectrum, frequencies = np.fft.fft(filtered), np.fft.fftfreq(len(filtered))
    errors = []
    for delay in np.arange(0, SPS, 0.1):
        moved = np.fft.ifft(spectrum * np.exp(2j * np.pi * frequencies * delay))
        symbols = moved[40:-40:SPS]
        symbols = symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))
        errors.append(np.abs(symbols[:, None] - points).min(axis=1).mean())
    assert min(errors) < 0.06
    assert max(errors) > 2 * min(errors)


@pytest.mark.parametrize("name", ["GFSK", "FM"])
def test_frequency_modulations_have_a_constant_envelope(name: str) -> None:
    assert np.abs(made(name)) == pytest.approx(np.ones((20, 512)), abs=0.05)


def test_amplitude_modulation_has_a_constant_phase() -> None:
    assert np.abs(np.angle(made("AM"))).max() < 1e-9


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0])
def test_noise_has_the_power_that_the_snr_asks_for(snr_db: float) -> None:
    clean = np.exp(2j * np.pi * default_rng(0).random((50, 4000)))
    noisy = add_noise(default_rng(1), clean, snr_db)
    scale = np.abs(np.mean(noisy * clean.conj(), axis=1, keepdims=True))
    noise = np.mean(np.abs(noisy - scale * clean) ** 2) / np.mean(scale**2)
    assert 10 * np.log10(1 / noise) == pytest.approx(snr_db, abs=0.1)
    assert np.mean(np.abs(noisy) ** 2, axis=1) == pytest.approx(np.ones(50))


def test_a_channel_without_echoes_and_offset_turns_the_phase_alone() -> None:
    clean = made("QPSK")
    received = through_channel(default_rng(0), clean, radio(echoes=0, offset=0.0))
    ratio = received / clean
    assert np.abs(ratio) == pytest.approx(np.repeat(np.abs(ratio[:, :1]), 512, axis=1))
    assert np.angle(ratio[:, 0]) == pytest.approx(np.angle(ratio[:, -1]))
    assert np.ptp(np.angle(ratio[:, 0])) > 1, "phases must vary from signal to signal"


def test_echoes_and_offsets_change_signals() -> None:
    clean = made("QPSK")
    spread = through_channel(default_rng(0), clean, radio(offset=0.0, echo_gain=0.3))
    assert np.ptp(np.abs(spread / clean)[0]) > 0.1
    shifted = through_channel(default_rng(0), clean, radio(echoes=0, offset=0.01)) / clean
    turns = np.angle(shifted[:, 1:] / shifted[:, :-1]) / (2 * np.pi)
    assert np.abs(turns).max() <= 0.0101
    assert turns.std(axis=1).max() < 1e-6
    assert turns[:, 0].std() > 1e-3


def test_signals_are_labelled_by_modulation_and_snr() -> None:
    data = radio_signals(radio(), seed=1)
    assert np.asarray(data.x).shape == (len(MODULATIONS) * 2 * 3, 2, 256)
    assert data.snr_db is not None
    for label in range(len(MODULATIONS)):
        assert sorted(data.snr_db[data.y == label]) == [0, 0, 0, 20, 20, 20]


def test_signals_follow_the_seed_and_nothing_else() -> None:
    one, same, other = (np.asarray(radio_signals(radio(), seed).x) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    fewer = np.asarray(radio_signals(radio(snrs_db=(20.0,)), 1).x)
    assert np.array_equal(fewer[:3], one[3:6]), "an SNR taken away leaves the others as they are"


def test_spectrograms_show_where_a_tone_is() -> None:
    tone = np.exp(2j * np.pi * 0.25 * np.arange(512))[None]
    picture = spectrograms(tone)[0]
    assert (picture.shape, picture.dtype) == ((64, 64), np.uint8)
    assert set(picture.argmax(axis=0)) == {48}, "0.25 cycles a sample is row 64 * (0.5 + 0.25)"
    assert picture.max() == 255
    assert picture[:32].max() < 60
